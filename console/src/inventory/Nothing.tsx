/** What the table shows when no row is there: why, and the one thing to do. */
import { Link } from "@tanstack/react-router";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import type { InventorySearch } from "../search.ts";
import { Empty } from "../ui/states.tsx";

export function Nothing({ search, newCount, show }: { search: InventorySearch; newCount: number; show: () => void }) {
  if (search.at) return <Empty title={t("past.empty")} hint={t("past.emptyHint")} />;
  const isFiltered = Boolean(search.q ?? search.state ?? search.parent);
  return (
    <Empty
      title={t(isFiltered ? "inventory.emptyFilter" : "inventory.empty")}
      hint={t(isFiltered ? "inventory.emptyFilterHint" : "inventory.emptyHint")}
    >
      {newCount > 0 && (
        <button type="button" className="new-bar" onClick={show}>
          {t("inventory.new", { count: newCount })}
        </button>
      )}
      {isFiltered ? (
        <Link className="button" to={paths.inventory} search={{ class: search.class }}>
          {t("inventory.clearFilter")}
        </Link>
      ) : (
        <Link className="button" to={paths.agentAdd}>
          {t("add.title")}
        </Link>
      )}
    </Empty>
  );
}
