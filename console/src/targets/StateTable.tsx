/** The targets of a set: which agent reads each, how completely it was seen, and why not. */
import { Link } from "@tanstack/react-router";
import type { TargetState } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Status } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { formatNumber } from "../values/format.ts";
import { RunNow } from "./RunNow.tsx";
import { progressLine } from "./text.ts";

function Row({ set, target }: { set: string; target: TargetState }) {
  return (
    <tr>
      <td className="mono">{target.address}</td>
      <td className="nowrap">
        <Status status={target.state} /> <span className="muted small">{progressLine(target)}</span>
      </td>
      <td>{target.status && <Status status={target.status} />}</td>
      <td className="number">{formatNumber(target.seen_count)}</td>
      <td className="nowrap">
        <Age time={target.looked_at} />
      </td>
      <td>{target.credential}</td>
      <td>
        {target.agent_id && (
          <Link to={paths.agent} params={{ id: target.agent_id }}>
            {t("targets.agent")}
          </Link>
        )}
      </td>
      <td className="wrap">{target.detail}</td>
      <td>
        <RunNow name={set} address={target.address} />
      </td>
    </tr>
  );
}

export function StateTable({ set, states }: { set: string; states: TargetState[] }) {
  return (
    <div className="panel table-wrap" tabIndex={0} role="group" aria-label={t("targets.list")}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t("targets.address")}</th>
            <th scope="col">{t("targets.state")}</th>
            <th scope="col">{t("targets.seen")}</th>
            <th scope="col" className="number">
              {t("targets.holds")}
            </th>
            <th scope="col">{t("targets.looked")}</th>
            <th scope="col">{t("targets.credential")}</th>
            <th scope="col">{t("targets.readBy")}</th>
            <th scope="col">{t("targets.why")}</th>
            <th scope="col">
              <span className="visually-hidden">{t("targets.run")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {states.map((target) => (
            <Row key={target.id} set={set} target={target} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
