/** What this item is possibly the same as. Nothing is merged by itself; a person looks at both. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { possibleDuplicatesQuery } from "../api/queries.ts";
import type { Item, NamedItem, PossibleDuplicate } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Age } from "../ui/Time.tsx";

const otherEnd = (pair: PossibleDuplicate, item: Item): NamedItem => (pair.item.id === item.id ? pair.other : pair.item);

export function PossibleDuplicates({ item }: { item: Item }) {
  const { data } = useQuery(possibleDuplicatesQuery(item.id));
  if (!data || data.possible_duplicates.length === 0) return null;
  return (
    <div className="notice notice-warning">
      <h2 className="notice-title">{t("item.possiblySame")}</h2>
      <ul>
        {data.possible_duplicates.map((pair) => {
          const other = otherEnd(pair, item);
          return (
            <li key={other.id}>
              <Link to={paths.item} params={{ id: other.id }} className="inside-text">
                {other.title || other.id}
              </Link>{" "}
              {t("item.bits", { bits: pair.bits })}{" "}
              <span className="muted small">
                <Age time={pair.found_at} />
              </span>
            </li>
          );
        })}
      </ul>
      <p className="muted small">
        {t("item.possiblySameHint")} {data.next_page_token && t("item.possiblySameMore")}
      </p>
    </div>
  );
}
