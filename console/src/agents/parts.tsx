/** Small parts that the pages of agents share. */
import type { Agent } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { isGap } from "../ui/ScopeStatus.tsx";
import { Shape } from "../ui/Status.tsx";
import { useNow } from "../ui/Time.tsx";
import { formatAge, formatNumber } from "../values/format.ts";

/** A certificate lasts a day and is renewed at half of it; less than this left means that renewal fails. */
const RENEWAL_LATE_MILLISECONDS = 4 * 3_600_000;

export function Expiry({ agent }: { agent: Agent }) {
  const now = useNow();
  if (!agent.certificate_expires) return <span className="muted">–</span>;
  const left = new Date(agent.certificate_expires).getTime() - now;
  const when = formatAge(agent.certificate_expires, now);
  const tone = left < 0 ? "critical" : left < RENEWAL_LATE_MILLISECONDS ? "warning" : "ok";
  return (
    <span className={`status tone-${tone}`} title={agent.certificate_expires}>
      <Shape tone={tone} />
      {left < 0 ? t("agents.expired", { when }) : t("agents.expires", { when })}
    </span>
  );
}

export function AgentCoverage({ agent }: { agent: Agent }) {
  const complete = agent.scopes.filter((scope) => !isGap(scope)).length;
  const count = agent.scopes.length;
  if (count === 0) return <span className="muted">–</span>;
  const tone = complete === count ? "ok" : "warning";
  return (
    <span className={`status tone-${tone}`}>
      <Shape tone={tone} />
      {t("agents.coverageLine", { complete, count })}
    </span>
  );
}

/** How much an agent complains about; the sentences stand on its page. */
export function Complaints({ agent }: { agent: Agent }) {
  const count = agent.complaints.length;
  if (count === 0) return <span className="muted">{t("common.none")}</span>;
  return (
    <span className="status tone-warning" title={agent.complaints.join("\n")}>
      <Shape tone="warning" />
      {formatNumber(count)}
    </span>
  );
}
