/** What differs of one item between two moments: state, attributes with both values, relationships. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { catalogQuery, itemDifferenceQuery } from "../api/queries.ts";
import type { ItemDifference, RelationDifference } from "../api/types.ts";
import { Difference } from "../changes/ChangeLine.tsx";
import { useClasses } from "../changes/useClasses.ts";
import { verbText } from "../item/Relations.tsx";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Status } from "../ui/Status.tsx";
import { ErrorPanel, Loading } from "../ui/states.tsx";

/** Relationships that are shown at once; a host that was just seen has hundreds of parts. */
const RELATIONS_SHOWN = 20;

function Related({ relation, at }: { relation: RelationDifference; at: string | undefined }) {
  const { data: catalog } = useQuery(catalogQuery);
  const verb = verbText(catalog, relation.verb, relation.outgoing);
  return (
    <li className="change">
      <span>{t(relation.has_begun ? "changes.related" : "changes.unrelated", { verb })}</span>
      <Link to={paths.item} params={{ id: relation.item_id }} search={{ at }} className="inside-text">
        {relation.title || relation.item_id}
      </Link>
    </li>
  );
}

function Lines({ difference, at }: { difference: ItemDifference; at: string | undefined }) {
  const definition = useClasses().get(difference.class);
  const hidden = difference.relations_begun + difference.relations_ended - Math.min(difference.relations.length, RELATIONS_SHOWN);
  return (
    <ul className="change-list">
      {difference.kind === "created" && (
        <li className="change">
          <span className="tag tag-new">{t("changes.created")}</span>
        </li>
      )}
      {difference.state_before && difference.state_before !== difference.state_after && (
        <li className="change">
          <span className="muted">{t("changes.state")}</span>
          <Status status={difference.state_before} />
          <span aria-hidden="true">→</span>
          <Status status={difference.state_after} />
        </li>
      )}
      {difference.attributes.map(({ name, before, after }) => {
        const attribute = definition?.attributes.find((each) => each.name === name);
        return (
          <li key={name} className="change">
            <span className="muted" title={attribute?.doc}>
              {attribute?.label ?? name}
            </span>
            <Difference before={before} after={after} attribute={attribute} />
          </li>
        );
      })}
      {difference.relations.slice(0, RELATIONS_SHOWN).map((relation) => (
        <Related key={`${relation.verb} ${relation.outgoing} ${relation.item_id}`} relation={relation} at={at} />
      ))}
      {hidden > 0 && <li className="muted">{t("past.moreRelations", { count: hidden })}</li>}
    </ul>
  );
}

interface DifferencesProps {
  id: string;
  from: string;
  /** None: until now. */
  to?: string;
  /** What is said when nothing differs. */
  nothing: string;
}

export function Differences({ id, from, to, nothing }: DifferencesProps) {
  const { data, error, refetch } = useQuery(itemDifferenceQuery(id, from, to));
  if (error) return <ErrorPanel error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  const [difference] = data.items;
  return difference ? <Lines difference={difference} at={to} /> : <p className="muted">{nothing}</p>;
}
