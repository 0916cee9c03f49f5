/** What nobody looked at, why, and what would mend it. It is never shown as "none". */
import { useQuery } from "@tanstack/react-query";
import { scopesQuery } from "../api/queries.ts";
import type { AttributeDefinition, Item, Scope } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { ScopeStatus, isGap } from "../ui/ScopeStatus.tsx";
import { Age } from "../ui/Time.tsx";

function Gap({ scope }: { scope: Scope }) {
  return (
    <li>
      <p>
        <code>{scope.scope}</code> <ScopeStatus scope={scope} />
      </p>
      <p className="scope-detail">{scope.detail}</p>
      <p className="muted small">
        {t("agents.looked")} <Age time={scope.looked_at} />
      </p>
    </li>
  );
}

export function Unseen({ item, attributes }: { item: Item; attributes: AttributeDefinition[] }) {
  const { data } = useQuery(scopesQuery(item.id));
  const gaps = data?.scopes.filter(isGap) ?? [];
  if (attributes.length === 0 && gaps.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="unseen-title">
      <div className="panel-head">
        <h2 id="unseen-title">{t("item.notLooked")}</h2>
        <span className="muted small">{t("item.notLookedHint")}</span>
      </div>
      <div className="panel-body stack">
        {attributes.length > 0 && (
          <ul className="unseen">
            {attributes.map(({ name, label, doc }) => (
              <li key={name} className="tag" title={doc}>
                {label}
              </li>
            ))}
          </ul>
        )}
        {gaps.length > 0 ? (
          <>
            <h3>{t("item.notLookedScopes")}</h3>
            <ul className="scope-list">
              {gaps.map((scope) => (
                <Gap key={scope.scope} scope={scope} />
              ))}
            </ul>
          </>
        ) : (
          data && <p className="muted">{t("item.noScopes")}</p>
        )}
      </div>
    </section>
  );
}
