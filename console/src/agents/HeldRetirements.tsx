/** Scopes whose last look missed so much at once that nothing was retired: an outage looks like that too. */
import { useQuery } from "@tanstack/react-query";
import { heldRetirementsQuery } from "../api/queries.ts";
import type { Agent } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Age } from "../ui/Time.tsx";

export function HeldRetirements({ agent }: { agent: Agent }) {
  const { data } = useQuery(heldRetirementsQuery(agent.id));
  if (!data || data.held_retirements.length === 0) return null;
  return (
    <div className="notice notice-warning">
      <h2 className="notice-title">{t("agents.heldTitle")}</h2>
      <ul>
        {data.held_retirements.map((held) => (
          <li key={`${held.source.collector} ${held.source.target} ${held.scope}`}>
            <code>{held.scope}</code> {t("agents.held", { count: held.count, of: held.of })}{" "}
            <span className="muted small">
              <Age time={held.held_at} />
            </span>
          </li>
        ))}
      </ul>
      <p className="muted small">
        {t("agents.heldHint")} {data.next_page_token && t("agents.heldMore")}
      </p>
    </div>
  );
}
