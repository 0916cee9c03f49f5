/** Why we believe a value: who says it, since when, confirmed when, how sure; and what other sources say. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { agentQuery } from "../api/queries.ts";
import type { AttributeDefinition, Source, SourceValue } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Age, Moment } from "../ui/Time.tsx";
import { formatValue } from "../values/format.ts";

interface ProvenanceProps {
  attribute: AttributeDefinition;
  values: SourceValue[];
}

/** The id of an agent is the target of the collector of its own host. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Who says it: the collector, and what it was pointed at; an agent is told by its name. */
export function SourceName({ source }: { source: Source }) {
  const isAgent = UUID.test(source.target);
  const { data: agent } = useQuery({ ...agentQuery(source.target), enabled: isAgent, staleTime: Infinity });
  return (
    <>
      {source.collector}
      {" · "}
      {isAgent ? (
        <Link className="inside-text" to={paths.agent} params={{ id: source.target }} title={source.target}>
          {agent?.name || `${source.target.slice(0, 8)}…`}
        </Link>
      ) : (
        source.target
      )}
    </>
  );
}

function Said({ value }: { value: SourceValue }) {
  return (
    <dl className="provenance">
      <dt>{t("item.source")}</dt>
      <dd>
        <SourceName source={value.source} />
      </dd>
      <dt>{t("item.since")}</dt>
      <dd>
        <Moment time={value.since} />
      </dd>
      <dt>{t("item.confirmed")}</dt>
      <dd>
        <Age time={value.confirmed_at} />
      </dd>
      <dt>{t("item.confidence")}</dt>
      <dd>{value.confidence} / 100</dd>
    </dl>
  );
}

export function Provenance({ attribute, values }: ProvenanceProps) {
  const [winner, ...losing] = values;
  return (
    <div className="provenance-panel">
      <h3>{t("item.provenance", { label: attribute.label })}</h3>
      {winner && <Said value={winner} />}
      <div className="losing">
        {losing.length === 0 ? (
          <p className="muted small">{t("item.noLosing")}</p>
        ) : (
          <>
            <h3>{t("item.losing")}</h3>
            {losing.map((value) => (
              <div key={`${value.source.collector}/${value.source.target}`}>
                <p>
                  <strong>{formatValue(value.value, attribute)}</strong>
                </p>
                <Said value={value} />
              </div>
            ))}
          </>
        )}
      </div>
      <p className="muted small">
        {t("item.rawName")} <code>{attribute.name}</code>
        {attribute.doc && <>: {attribute.doc}</>}
      </p>
    </div>
  );
}
