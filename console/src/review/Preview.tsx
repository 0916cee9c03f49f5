/** What would become of the items of one word: which stay, which go, and which winning values change. */
import { useClasses } from "../changes/useClasses.ts";
import { t } from "../messages/index.ts";
import { formatValue } from "../values/format.ts";
import type { Value } from "../api/types.ts";
import type { Outcome, Simulation } from "./types.ts";

/** A value beside another one: what nobody looked at is not the same as none. */
export function Side({ value, format }: { value: Value | undefined; format: (value: Value) => string }) {
  if (value === undefined) return <span className="muted">{t("common.notLookedAt")}</span>;
  return <bdi>{format(value)}</bdi>;
}

function Changes({ outcome }: { outcome: Outcome }) {
  const definition = useClasses().get(outcome.item?.class ?? "");
  if (outcome.changes.length === 0) return <p className="muted small">{t("review.noChanges")}</p>;
  return (
    <table className="table">
      <thead>
        <tr>
          <th scope="col">{t("review.attribute")}</th>
          <th scope="col">{t("review.now")}</th>
          <th scope="col">{t("review.then")}</th>
        </tr>
      </thead>
      <tbody>
        {outcome.changes.map(({ name, before, after }) => {
          const attribute = definition?.attributes.find((each) => each.name === name);
          const format = (value: Value) => formatValue(value, attribute);
          return (
            <tr key={name}>
              <th scope="row">{attribute?.label ?? name}</th>
              <td className="wrap">
                <Side value={before} format={format} />
              </td>
              <td className="wrap">
                <Side value={after} format={format} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const titles = (items: { title: string; id: string }[]): string => items.map(({ title, id }) => title || id).join(", ");

function OutcomeView({ outcome }: { outcome: Outcome }) {
  return (
    <section className="stack-small">
      <h3>
        <bdi>{outcome.title}</bdi>{" "}
        <span className="muted small">
          {t("review.sightings", { count: outcome.sightings })}
          {outcome.item === null && <> · {t("review.ownItem")}</>}
        </span>
      </h3>
      {outcome.absorbed.length > 0 && <p>{t("review.absorbs", { items: titles(outcome.absorbed) })}</p>}
      {outcome.taken_from.length > 0 && <p>{t("review.takesFrom", { items: titles(outcome.taken_from) })}</p>}
      {outcome.item && <Changes outcome={outcome} />}
      {outcome.changes_left_out > 0 && <p className="muted small">{t("review.changesLeftOut", { count: outcome.changes_left_out })}</p>}
    </section>
  );
}

export function Preview({ simulation }: { simulation: Simulation }) {
  if (simulation.outcomes.length === 0) return <p className="muted">{t("review.nothingFollows")}</p>;
  return (
    <div className="stack">
      {simulation.outcomes.map((outcome) => (
        <OutcomeView key={outcome.item?.id ?? "new"} outcome={outcome} />
      ))}
    </div>
  );
}
