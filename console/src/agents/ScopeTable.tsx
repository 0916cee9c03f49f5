/** What an agent looks at, how completely, and what would complete it; gaps first. */
import type { Scope } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { ScopeStatus, scopeStatus } from "../ui/ScopeStatus.tsx";
import { Age } from "../ui/Time.tsx";
import { formatNumber } from "../values/format.ts";

const ORDER = ["not_looked_at", "partial", "restricted", "complete", "not_present"];
const rank = (scope: Scope): number => ORDER.indexOf(scopeStatus(scope));

export function ScopeTable({ scopes }: { scopes: Scope[] }) {
  const sorted = scopes.toSorted((a, b) => rank(a) - rank(b) || a.scope.localeCompare(b.scope));
  if (sorted.length === 0) return null;
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t("agents.scopes")}</h2>
        <span className="muted small">{t("agents.scopesHint")}</span>
      </div>
      <div className="table-wrap" tabIndex={0} role="group" aria-label={t("agents.scopes")}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t("agents.scope")}</th>
              <th scope="col">{t("agents.coverage")}</th>
              <th scope="col" className="number">
                {t("agents.seen")}
              </th>
              <th scope="col">{t("agents.looked")}</th>
              <th scope="col">{t("agents.remedy")}</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((scope) => (
              <tr key={scope.scope}>
                <td className="mono">{scope.scope}</td>
                <td>
                  <ScopeStatus scope={scope} />
                </td>
                <td className="number">{formatNumber(scope.seen_count)}</td>
                <td className="nowrap">
                  <Age time={scope.looked_at} />
                </td>
                <td className="wrap">{scope.detail}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
