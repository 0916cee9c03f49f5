/** Tokens: what lets agents enroll and scripts ask the API. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { tokensQuery } from "../api/queries.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { TokenForm } from "../tokens/TokenForm.tsx";
import { TokenTable } from "../tokens/TokenTable.tsx";
import { More } from "../ui/More.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

export function TokensPage() {
  usePageTitle(t("tokens.title"));
  const pages = useInfiniteQuery(tokensQuery);
  const { error } = pages;
  const tokens = pages.data?.pages.flatMap((page) => page.tokens);
  return (
    <div className="page narrow">
      <h1>{t("tokens.title")}</h1>
      <p className="muted">
        {t("tokens.lead")} {t("tokens.joinHint")} <Link to={paths.agentAdd}>{t("agents.add")}</Link>
      </p>
      <TokenForm />
      {error && <ErrorPanel error={error} retry={() => void pages.refetch()} />}
      {!tokens && !error && <Loading />}
      {tokens?.length === 0 && <Empty title={t("tokens.empty")} hint={t("tokens.emptyHint")} />}
      {tokens && tokens.length > 0 && <TokenTable tokens={tokens} />}
      <More pages={pages} />
    </div>
  );
}
