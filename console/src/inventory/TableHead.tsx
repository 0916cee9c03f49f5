/** The sticky head of the table. */
import { Link } from "@tanstack/react-router";
import { ArrowDown, ArrowUp } from "lucide-react";
import type { AttributeDefinition } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import type { InventorySearch } from "../search.ts";
import { isNumeric } from "./columns.ts";

interface HeadProps {
  columns: AttributeDefinition[];
  hasClass: boolean;
  hasParent: boolean;
  search: InventorySearch;
}

export function TableHead({ columns, hasClass, hasParent, search }: HeadProps) {
  const isByChange = search.order === "changed";
  return (
    <div className="grid-head" role="rowgroup">
      <div role="row" aria-rowindex={1} className="grid-head-row">
        <div role="columnheader" aria-sort={isByChange ? "none" : "ascending"}>
          <Link to={paths.inventory} search={{ ...search, order: undefined }} title={t("inventory.sortTitle")}>
            {t("inventory.name")} {!isByChange && <ArrowUp size={12} aria-hidden="true" />}
          </Link>
        </div>
        {hasParent && <div role="columnheader">{t("inventory.partOf")}</div>}
        {hasClass && <div role="columnheader">{t("inventory.class")}</div>}
        <div role="columnheader">{t("inventory.state")}</div>
        {columns.map((attribute) => (
          <div
            key={attribute.name}
            role="columnheader"
            title={attribute.doc}
            className={isNumeric(attribute) ? "number" : undefined}
          >
            {attribute.label}
          </div>
        ))}
        <div role="columnheader" aria-sort={isByChange ? "descending" : "none"}>
          <Link to={paths.inventory} search={{ ...search, order: "changed" }} title={t("inventory.sortChanged")}>
            {t("inventory.lastSeen")} {isByChange && <ArrowDown size={12} aria-hidden="true" />}
          </Link>
        </div>
      </div>
    </div>
  );
}
