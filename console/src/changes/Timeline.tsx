/** Changes as a timeline: those of one item in one revision stand together, under the time they were observed at. */
import { Link } from "@tanstack/react-router";
import type { Change } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { ClassIcon } from "../ui/Icon.tsx";
import { Age, Moment } from "../ui/Time.tsx";
import { SourceName } from "../item/Provenance.tsx";
import { ChangeLine } from "./ChangeLine.tsx";
import { useClasses } from "./useClasses.ts";

function Group({ changes, hasItem }: { changes: Change[]; hasItem: boolean }) {
  const classes = useClasses();
  const [first] = changes;
  if (!first) return null;
  return (
    <li className="change-set">
      <div className="change-when">
        <Age time={first.observed_at} />
        <Link to={paths.item} params={{ id: first.item_id }} search={{ at: first.observed_at }} title={t("past.showThen")}>
          <Moment time={first.observed_at} />
        </Link>
      </div>
      <div>
        {hasItem && (
          <p className="change-head">
              <ClassIcon name={classes.get(first.class)?.icon} />
              <Link to={paths.item} params={{ id: first.item_id }}>
                {first.title || first.item_id}
              </Link>
              <span className="muted small">{classes.get(first.class)?.label ?? first.class}</span>
          </p>
        )}
        <ul className="change-list">
          {changes.map((change) => (
            <li key={change.index} className="change">
              <ChangeLine change={change} />
            </li>
          ))}
        </ul>
      </div>
      <p className="muted small">
        <SourceName source={first.source} />
      </p>
    </li>
  );
}

export function Timeline({ changes, hasItem = false }: { changes: Change[]; hasItem?: boolean }) {
  const groups = Map.groupBy(changes, ({ revision, item_id }) => `${revision} ${item_id}`);
  return (
    <ol className="timeline panel" aria-label={t("changes.list")}>
      {[...groups].map(([key, group]) => (
        <Group key={key} changes={group} hasItem={hasItem} />
      ))}
    </ol>
  );
}
