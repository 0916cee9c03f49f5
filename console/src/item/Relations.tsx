/** What an item touches, both ways, grouped by relationship, with who says it and the evidence. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { catalogQuery, relationsQuery } from "../api/queries.ts";
import type { Catalog, Item, Relation } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { useAt } from "../past/useAt.ts";
import { paths } from "../paths.ts";
import { ClassIcon } from "../ui/Icon.tsx";
import { Status } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { More } from "../ui/More.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { Parts } from "./Parts.tsx";
import { SourceName } from "./Provenance.tsx";

/** The verb as it reads from the item's own side: `runs on`, or its inverse `runs`. */
export function verbText(catalog: Catalog | undefined, verb: string, outgoing: boolean): string {
  const definition = catalog?.relationships.find(({ name }) => name === verb);
  return (outgoing ? verb : (definition?.inverse ?? verb)).replaceAll("_", " ");
}

function Row({ relation, catalog }: { relation: Relation; catalog: Catalog | undefined }) {
  const definition = catalog?.classes.find(({ name }) => name === relation.class);
  const at = useAt();
  return (
    <tr>
      <td>
        <span className="with-icon">
          <ClassIcon name={definition?.icon} />
          <Link to={paths.item} params={{ id: relation.item_id }} search={{ at }}>
            {relation.title || relation.item_id}
          </Link>
        </span>
      </td>
      <td className="muted">{definition?.label ?? relation.class}</td>
      <td>
        <Status status={relation.state} />
      </td>
      <td className="wrap">{relation.evidence}</td>
      <td className="small">
        <SourceName source={relation.source} />
      </td>
      <td className="nowrap">
        <Age time={relation.since} />
      </td>
    </tr>
  );
}

function Group({ title, doc, relations, catalog }: { title: string; doc: string; relations: Relation[]; catalog: Catalog | undefined }) {
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{title}</h2>
        <span className="muted small">
          {t("common.items", { count: relations.length })}
          {doc && <> · {doc}</>}
        </span>
      </div>
      <div className="table-wrap" tabIndex={0} role="group" aria-label={title}>
        <table className="table">
          <thead>
            <tr>
              {[t("item.other"), t("inventory.class"), t("inventory.state"), t("item.evidence"), t("item.source"), t("item.since")].map((label) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {relations.map((relation) => (
              <Row key={relation.item_id} relation={relation} catalog={catalog} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function Relations({ item }: { item: Item }) {
  const { data: catalog } = useQuery(catalogQuery);
  // Parts are many and alike: they are counted below instead of listed, and what it is a part of stands at the top.
  const verbs = catalog?.relationships.map(({ name }) => name).filter((name) => name !== "part_of") ?? [];
  const pages = useInfiniteQuery(relationsQuery(item.id, verbs, useAt()));
  if (pages.error) return <ErrorPanel error={pages.error} retry={() => void pages.refetch()} />;
  if (!pages.data) return <Loading />;
  const others = pages.data.pages.flatMap(({ relations }) => relations);
  const groups = Map.groupBy(others, ({ verb, outgoing }) => `${verb} ${outgoing}`);
  return (
    <div className="item-column">
      {others.length === 0 && <Empty title={t("item.noRelations")} hint={t("item.noRelationsHint")} />}
      {[...groups].map(([key, relations]) => {
        const { verb, outgoing } = relations[0] ?? { verb: "", outgoing: true };
        const doc = catalog?.relationships.find(({ name }) => name === verb)?.doc ?? "";
        return <Group key={key} title={verbText(catalog, verb, outgoing)} doc={doc} relations={relations} catalog={catalog} />;
      })}
      <More pages={pages} />
      <Parts item={item} />
    </div>
  );
}
