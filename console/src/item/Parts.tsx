/** What lives and dies with an item, counted by class; each leads to the table of just these. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { catalogQuery, countsQuery } from "../api/queries.ts";
import type { Item } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { useAt } from "../past/useAt.ts";
import { paths } from "../paths.ts";
import { ClassIcon } from "../ui/Icon.tsx";
import { formatNumber } from "../values/format.ts";

export function Parts({ item }: { item: Item }) {
  const { data: catalog } = useQuery(catalogQuery);
  const at = useAt();
  const { data: counts } = useQuery(countsQuery({ parent: item.id, ...(at ? { at } : {}) }));
  const parts = counts?.classes.filter(({ count }) => count > 0) ?? [];
  if (parts.length === 0) return null;
  return (
    <section className="panel panel-parts">
      <div className="panel-head">
        <h2>{t("item.parts")}</h2>
        <span className="muted small">{t("item.partsHint")}</span>
      </div>
      <ul className="parts">
        {parts.map(({ class: name, count }) => {
          const definition = catalog?.classes.find((each) => each.name === name);
          return (
            <li key={name}>
              <Link to={paths.inventory} search={{ class: name, parent: item.id, at }} className="class-link">
                <ClassIcon name={definition?.icon} />
                <span className="class-name">{definition?.plural ?? name}</span>
                <span className="class-count">{formatNumber(count)}</span>
              </Link>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
