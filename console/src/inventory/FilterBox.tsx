/** The filter as text. It is asked on Enter, and lives in the address. */
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { ClassDefinition } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import type { InventorySearch } from "../search.ts";
import { parseQuery } from "./query.ts";

interface FilterProps {
  search: InventorySearch;
  definition: ClassDefinition | undefined;
}

export function FilterBox({ search, definition }: FilterProps) {
  const navigate = useNavigate();
  const asked = search.q ?? "";
  // What was typed counts as long as the address is the one it was typed over; a link or "back" replaces it.
  const [typed, setTyped] = useState({ over: asked, text: asked });
  const text = typed.over === asked ? typed.text : asked;
  const setText = (next: string) => setTyped({ over: asked, text: next });
  const unknown = parseQuery(text).conditions.find(
    ({ name }) => definition && !definition.attributes.some((attribute) => attribute.name === name),
  );
  return (
    <form
      className="inventory-filter"
      onSubmit={(event) => {
        event.preventDefault();
        void navigate({ to: paths.inventory, search: { ...search, q: text.trim() || undefined } });
      }}
    >
      <input
        className="input"
        type="search"
        data-shortcut="filter"
        aria-label={t("inventory.filter")}
        placeholder={t("inventory.filterHint")}
        title={t("inventory.filterHint")}
        aria-invalid={unknown !== undefined}
        aria-describedby={unknown ? "filter-note" : undefined}
        autoComplete="off"
        spellCheck={false}
        list="filter-attributes"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <datalist id="filter-attributes">
        {definition?.attributes.map(({ name, label }) => (
          <option key={name} value={`${name}:`}>
            {label}
          </option>
        ))}
      </datalist>
      {unknown && (
        <p id="filter-note" className="field-note field-error">
          {t("inventory.badQuery", { name: unknown.name })}
        </p>
      )}
    </form>
  );
}
