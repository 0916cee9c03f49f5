/** The bar over the table: filter, state, order, columns. All of it lives in the address. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Columns3, X } from "lucide-react";
import { itemQuery } from "../api/queries.ts";
import type { ClassDefinition } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { ITEM_STATES, type InventorySearch, ORDERS } from "../search.ts";
import { Popover } from "../ui/Popover.tsx";
import { FilterBox } from "./FilterBox.tsx";
import { tableColumns } from "./columns.ts";

interface HeadProps {
  search: InventorySearch;
  definition: ClassDefinition | undefined;
}

export function InventoryHead({ search, definition }: HeadProps) {
  const navigate = useNavigate();
  const change = (next: Partial<InventorySearch>) =>
    void navigate({ to: paths.inventory, search: { ...search, ...next }, replace: true });
  return (
    <div className="inventory-head">
      <h1>{definition?.plural ?? t("inventory.allClasses")}</h1>
      {search.parent && <ParentChip search={search} parent={search.parent} />}
      <FilterBox search={search} definition={definition} />
      <select
        className="select"
        aria-label={t("inventory.state")}
        value={search.state ?? ""}
        onChange={(event) => change({ state: ITEM_STATES.find((state) => state === event.target.value) })}
      >
        <option value="">{t("inventory.anyState")}</option>
        {ITEM_STATES.map((state) => (
          <option key={state} value={state}>
            {t(`state.${state}`)}
          </option>
        ))}
      </select>
      <select
        className="select"
        aria-label={t("inventory.order")}
        value={search.order ?? "title"}
        onChange={(event) => change({ order: event.target.value === "changed" ? "changed" : undefined })}
      >
        {ORDERS.map((order) => (
          <option key={order} value={order}>
            {t(`inventory.order.${order}`)}
          </option>
        ))}
      </select>
      {definition && <ColumnChoice search={search} definition={definition} change={change} />}
    </div>
  );
}

function ParentChip({ search, parent }: { search: InventorySearch; parent: string }) {
  const { data } = useQuery(itemQuery(parent, search.at));
  return (
    <span className="tag">
      {t("item.partOf")}
      <Link to={paths.item} params={{ id: parent }} search={{ at: search.at }}>
        {data?.title ?? parent}
      </Link>
      <Link to={paths.inventory} search={{ ...search, parent: undefined }} aria-label={t("common.clear")} className="tag-clear">
        <X size={12} aria-hidden="true" />
      </Link>
    </span>
  );
}

interface ColumnProps {
  search: InventorySearch;
  definition: ClassDefinition;
  change: (next: Partial<InventorySearch>) => void;
}

function ColumnChoice({ search, definition, change }: ColumnProps) {
  const shown = tableColumns(definition, search.columns).map(({ name }) => name);
  const toggle = (name: string, isOn: boolean) => {
    const next = isOn ? [...shown, name] : shown.filter((one) => one !== name);
    change({ columns: next.join(",") || undefined });
  };
  return (
    <Popover
      label={t("inventory.columns")}
      button={
        <>
          <Columns3 size={14} aria-hidden="true" />
          {t("inventory.columns")}
        </>
      }
    >
      {() => (
        <div className="checks">
          <button type="button" className="button" onClick={() => change({ columns: undefined })}>
            {t("inventory.columnsReset")}
          </button>
          {definition.attributes
            .filter(({ name }) => name !== definition.title)
            .map(({ name, label }) => (
              <label key={name}>
                <input type="checkbox" checked={shown.includes(name)} onChange={(event) => toggle(name, event.target.checked)} />
                {label}
              </label>
            ))}
        </div>
      )}
    </Popover>
  );
}
