/** One agent: is it connected, what does it see, what keeps it from seeing more, and its end. */
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { ApiError } from "../api/client.ts";
import { agentQuery } from "../api/queries.ts";
import type { Agent } from "../api/types.ts";
import { AgentCoverage, Expiry } from "../agents/parts.tsx";
import { HeldRetirements } from "../agents/HeldRetirements.tsx";
import { RevokeAgent } from "../agents/RevokeAgent.tsx";
import { ScopeTable } from "../agents/ScopeTable.tsx";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Breadcrumbs } from "../shell/Breadcrumbs.tsx";
import { Status } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

const route = getRouteApi("/inside/agents/$id");

function Definition({ agent }: { agent: Agent }) {
  const rows: [string, ReactNode][] = [
    [t("agents.state"), <Status key="state" status={agent.state} />],
    [t("agents.lastSeen"), <Age key="seen" time={agent.last_seen} />],
    [t("agents.certificate"), <Expiry key="expiry" agent={agent} />],
    [t("agents.coverage"), <AgentCoverage key="coverage" agent={agent} />],
    [t("agents.site"), agent.site || t("common.none")],
    [t("agents.labels"), Object.entries(agent.labels).map(([name, value]) => `${name}=${value}`).join(", ") || t("common.none")],
    [t("agents.address"), agent.address],
    [t("agents.version"), agent.version],
    [t("agents.enrolled"), <Age key="enrolled" time={agent.enrolled_at} />],
    [t("agents.id"), <code key="id">{agent.id}</code>],
  ];
  return (
    <dl className="panel definition">
      {rows.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Complaints({ agent }: { agent: Agent }) {
  if (agent.complaints.length === 0) return null;
  return (
    <div className="notice notice-warning">
      <h2 className="notice-title">{t("agents.complaintsTitle")}</h2>
      <ul>
        {agent.complaints.map((complaint) => (
          <li key={complaint}>{complaint}</li>
        ))}
      </ul>
    </div>
  );
}

export function AgentPage() {
  const { id } = route.useParams();
  const { data: agent, error, refetch } = useQuery(agentQuery(id));
  usePageTitle(agent?.name ?? t("agents.title"));
  if (error instanceof ApiError && error.status === 404) return <Empty isPage title={t("agents.notFound")} />;
  if (error) return <ErrorPanel error={error} retry={() => void refetch()} />;
  if (!agent) return <Loading />;
  return (
    <div className="page">
      <Breadcrumbs>
        {[
          <Link key="agents" to={paths.agents}>
            {t("agents.title")}
          </Link>,
        ]}
      </Breadcrumbs>
      <div className="page-head">
        <h1>{agent.name || agent.id}</h1>
        <Status status={agent.state} />
        <span className="push with-icon">
          {agent.item_id && (
            <Link to={paths.item} params={{ id: agent.item_id }} className="button">
              {t("agents.openHost")}
            </Link>
          )}
          <RevokeAgent agent={agent} />
        </span>
      </div>
      <Complaints agent={agent} />
      <HeldRetirements agent={agent} />
      <Definition agent={agent} />
      <ScopeTable scopes={agent.scopes} />
    </div>
  );
}
