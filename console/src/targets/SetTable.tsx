/** The target sets, with how completely their targets are seen. */
import { Link } from "@tanstack/react-router";
import type { TargetSet } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { formatNumber } from "../values/format.ts";
import { RunNow } from "./RunNow.tsx";
import { coverageLine } from "./text.ts";

export function SetTable({ sets }: { sets: TargetSet[] }) {
  return (
    <div className="panel table-wrap" tabIndex={0} role="group" aria-label={t("targets.title")}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t("targets.name")}</th>
            <th scope="col">{t("targets.collector")}</th>
            <th scope="col">{t("targets.site")}</th>
            <th scope="col" className="number">
              {t("targets.count")}
            </th>
            <th scope="col">{t("targets.seen")}</th>
            <th scope="col">{t("targets.why")}</th>
            <th scope="col">
              <span className="visually-hidden">{t("targets.run")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {sets.map((set) => (
            <tr key={set.name}>
              <td>
                <Link to={paths.target} params={{ name: set.name }}>
                  {set.name}
                </Link>
              </td>
              <td className="mono">{set.collector}</td>
              <td>{set.site || t("common.none")}</td>
              <td className="number">{formatNumber(set.targets_count)}</td>
              <td>{coverageLine(set.coverage)}</td>
              <td className="wrap">{set.remedy}</td>
              <td>
                <RunNow name={set.name} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
