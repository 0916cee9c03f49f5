/** Targets: what is read over the network, how it fares, and with which credentials. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { credentialsQuery, targetsQuery } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { CredentialForm } from "../targets/CredentialForm.tsx";
import { CredentialTable } from "../targets/CredentialTable.tsx";
import { SetForm } from "../targets/SetForm.tsx";
import { SetTable } from "../targets/SetTable.tsx";
import { More } from "../ui/More.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

function Credentials() {
  const pages = useInfiniteQuery(credentialsQuery);
  const credentials = pages.data?.pages.flatMap((page) => page.credentials);
  return (
    <>
      <h2>{t("credentials.title")}</h2>
      <p className="muted">{t("credentials.lead")}</p>
      {pages.error && <ErrorPanel error={pages.error} retry={() => void pages.refetch()} />}
      {credentials && <CredentialForm />}
      {credentials && credentials.length > 0 && <CredentialTable credentials={credentials} />}
      <More pages={pages} />
    </>
  );
}

export function TargetsPage() {
  usePageTitle(t("targets.title"));
  const [isAdding, setIsAdding] = useState(false);
  const pages = useInfiniteQuery(targetsQuery);
  const { error } = pages;
  const sets = pages.data?.pages.flatMap((page) => page.targets);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t("targets.title")}</h1>
        <button type="button" className="button button-primary push" aria-expanded={isAdding} onClick={() => setIsAdding(!isAdding)}>
          {t("targets.add")}
        </button>
      </div>
      <p className="muted">{t("targets.lead")}</p>
      {isAdding && <SetForm onDone={() => setIsAdding(false)} />}
      {error && <ErrorPanel error={error} retry={() => void pages.refetch()} />}
      {!sets && !error && <Loading />}
      {sets?.length === 0 && <Empty title={t("targets.empty")} hint={t("targets.emptyHint")} />}
      {sets && sets.length > 0 && <SetTable sets={sets} />}
      <More pages={pages} />
      <Credentials />
    </div>
  );
}
