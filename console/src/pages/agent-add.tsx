/** From nothing to a machine in the inventory: make a command, run it there, watch each step happen. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { countsQuery, mutations } from "../api/queries.ts";
import type { MintedToken, TokenRequest } from "../api/types.ts";
import { JoinForm } from "../agents/JoinForm.tsx";
import { Steps } from "../agents/Steps.tsx";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { CopyLine } from "../ui/Copy.tsx";
import { useNow } from "../ui/Time.tsx";
import { errorSentence } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";
import { formatAge } from "../values/format.ts";

export function AgentAddPage() {
  const { data: counts } = useQuery(countsQuery());
  const isFirst = counts?.agents.total === 0;
  const title = t(isFirst ? "add.firstTitle" : "add.title");
  usePageTitle(title);
  const mint = useMutation({ mutationFn: (request: TokenRequest) => mutations.mintToken(request) });
  return (
    <div className="page narrow">
      <h1>{title}</h1>
      <p className="muted">{t("add.lead")}</p>
      {counts && !isFirst && (
        <p className="notice">
          <span>
            {t("add.others", { count: counts.agents.total })} <Link to={paths.agents}>{t("add.othersLink")}</Link>
          </span>
        </p>
      )}
      {mint.isError && (
        <p className="notice notice-critical" role="alert">
          {errorSentence(mint.error)}
        </p>
      )}
      {mint.data ? (
        <Minted token={mint.data} uses={mint.variables?.uses ?? 1} again={() => mint.reset()} />
      ) : (
        <JoinForm isPending={mint.isPending} submit={(request) => mint.mutate(request)} />
      )}
    </div>
  );
}

function Minted({ token, uses, again }: { token: MintedToken; uses: number; again: () => void }) {
  const now = useNow();
  return (
    <>
      <section className="panel">
        <div className="panel-head">
          <h2>{t("add.command")}</h2>
        </div>
        <div className="panel-body stack">
          <CopyLine text={token.command || token.text} label={t("add.command")} />
          <p className="muted">{t("add.commandHint", { expires: formatAge(token.expires_at, now), uses })}</p>
          <button type="button" className="button start" onClick={again}>
            {t("add.again")}
          </button>
        </div>
      </section>
      <Steps token={token.id} />
    </>
  );
}
