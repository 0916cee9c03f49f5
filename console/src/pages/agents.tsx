/** Every agent: connected or not, how complete its look, how long its certificate lasts. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { agentsQuery } from "../api/queries.ts";
import type { Agent } from "../api/types.ts";
import { Complaints, Expiry } from "../agents/parts.tsx";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Status } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { More } from "../ui/More.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

const COLUMNS = ["name", "state", "site", "complaints", "certificate", "version", "address", "lastSeen"] as const;

function Row({ agent }: { agent: Agent }) {
  return (
    <tr>
      <td>
        <Link to={paths.agent} params={{ id: agent.id }}>
          {agent.name || agent.id}
        </Link>
      </td>
      <td>
        <Status status={agent.state} />
      </td>
      <td>{agent.site}</td>
      <td>
        <Complaints agent={agent} />
      </td>
      <td>
        <Expiry agent={agent} />
      </td>
      <td>{agent.version}</td>
      <td>{agent.address}</td>
      <td>
        <Age time={agent.last_seen} />
      </td>
    </tr>
  );
}

export function AgentsPage() {
  usePageTitle(t("agents.title"));
  const pages = useInfiniteQuery(agentsQuery);
  const { error } = pages;
  const agents = pages.data?.pages.flatMap((page) => page.agents);
  return (
    <div className="page page-wide">
      <div className="page-head">
        <h1>{t("agents.title")}</h1>
        <Link to={paths.agentAdd} className="button button-primary push">
          <Plus size={14} aria-hidden="true" />
          {t("agents.add")}
        </Link>
      </div>
      {error && <ErrorPanel error={error} retry={() => void pages.refetch()} />}
      {!agents && !error && <Loading />}
      {agents?.length === 0 && (
        <Empty title={t("agents.empty")} hint={t("agents.emptyHint")}>
          <Link to={paths.agentAdd} className="button button-primary">
            {t("agents.add")}
          </Link>
        </Empty>
      )}
      {agents && agents.length > 0 && (
        <div className="panel table-wrap" tabIndex={0} role="group" aria-label={t("agents.title")}>
          <table className="table">
            <thead>
              <tr>
                {COLUMNS.map((name) => (
                  <th key={name} scope="col">
                    {t(`agents.${name}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {agents.map((agent) => (
                <Row key={agent.id} agent={agent} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <More pages={pages} />
    </div>
  );
}
