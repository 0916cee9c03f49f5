/** One change in one line: what, before, after; lists show what was added and removed. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { catalogQuery, itemQuery } from "../api/queries.ts";
import type { AttributeDefinition, Change, Value } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Status } from "../ui/Status.tsx";
import { type ListDiff, listDiff } from "../values/diff.ts";
import { formatValue } from "../values/format.ts";
import { useClasses } from "./useClasses.ts";

/** Lines of a list's difference that are shown at once; the page of the item has the whole value. */
const LINES_SHOWN = 20;

interface DiffProps {
  before: Value | undefined;
  after: Value | undefined;
  attribute: AttributeDefinition | undefined;
}

function Diff({ before, after, attribute }: DiffProps) {
  const text = (value: Value | undefined) => (value === undefined ? t("changes.nothing") : formatValue(value, attribute));
  return (
    <>
      <del className="diff-before">
        <span className="visually-hidden">{t("changes.before")} </span>
        {text(before)}
      </del>
      <span aria-hidden="true" className="arrow">
        →
      </span>
      <ins className="diff-after">
        <span className="visually-hidden">{t("changes.after")} </span>
        {text(after)}
      </ins>
    </>
  );
}

function DiffLines({ diff }: { diff: ListDiff }) {
  const lines = [
    ...diff.removed.map((text) => ({ text, sign: "−", word: t("changes.removed"), name: "diff-before" })),
    ...diff.added.map((text) => ({ text, sign: "+", word: t("changes.added"), name: "diff-after" })),
  ];
  return (
    <ul className="diff-lines">
      {lines.slice(0, LINES_SHOWN).map(({ text, sign, word, name }, index) => (
        <li key={index}>
          <span className={name}>
            <span className="diff-sign" aria-hidden="true">
              {sign}
            </span>
            <span className="visually-hidden">{word} </span>
            {text}
          </span>
        </li>
      ))}
      {lines.length > LINES_SHOWN && <li className="muted">{t("common.moreValues", { count: lines.length - LINES_SHOWN })}</li>}
      {diff.unchangedCount > 0 && <li className="muted small">{t("changes.same", { count: diff.unchangedCount })}</li>}
    </ul>
  );
}

function OtherEnd({ id }: { id: string }) {
  const { data } = useQuery(itemQuery(id));
  return (
    <Link to={paths.item} params={{ id }}>
      {data?.title || id}
    </Link>
  );
}

function Relationship({ change }: { change: Change }) {
  const { data: catalog } = useQuery(catalogQuery);
  const verb = catalog?.relationships.find(({ name }) => name === change.name)?.name ?? change.name;
  const text = verb.replaceAll("_", " ");
  return (
    <>
      <span>{change.kind === "related" ? t("changes.related", { verb: text }) : t("changes.unrelated", { verb: text })}</span>
      {change.other_id && <OtherEnd id={change.other_id} />}
    </>
  );
}

/** Both values, or for lists what was added and removed. */
export function Difference({ before, after, attribute }: DiffProps) {
  const diff = listDiff(before, after);
  return diff ? <DiffLines diff={diff} /> : <Diff before={before} after={after} attribute={attribute} />;
}

export function ChangeLine({ change }: { change: Change }) {
  const attribute = useClasses()
    .get(change.class)
    ?.attributes.find(({ name }) => name === change.name);
  if (change.kind === "created") return <span className="tag tag-new">{t("changes.created")}</span>;
  if (change.kind === "related" || change.kind === "unrelated") return <Relationship change={change} />;
  if (change.kind === "merged" || change.kind === "split") {
    return (
      <>
        <span>{change.kind === "merged" ? t("changes.merged") : t("changes.split")}</span>
        {change.other_id && <OtherEnd id={change.other_id} />}
      </>
    );
  }
  if (change.kind === "state_changed") {
    return (
      <>
        <span className="muted">{t("changes.state")}</span>
        <Status status={String(change.before)} />
        <span aria-hidden="true">→</span>
        <Status status={String(change.after)} />
      </>
    );
  }
  return (
    <>
      <span className="muted" title={attribute?.doc}>
        {attribute?.label ?? change.name}
      </span>
      <Difference before={change.before} after={change.after} attribute={attribute} />
    </>
  );
}
