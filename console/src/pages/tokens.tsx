/** Tokens: what lets agents enroll and scripts ask the API. A secret is shown once. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { mutations, queryClient, tokensQuery } from "../api/queries.ts";
import type { TokenKind } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { TokenTable } from "../tokens/TokenTable.tsx";
import { Choice } from "../ui/Choice.tsx";
import { CopyLine } from "../ui/Copy.tsx";
import { Field } from "../ui/Field.tsx";
import { Empty, ErrorPanel, Loading, errorSentence } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

const LIFETIMES = ["86400", "2592000", "7776000"] as const;
const KINDS: TokenKind[] = ["personal", "service"];

function CreateForm() {
  const [kind, setKind] = useState<TokenKind>("personal");
  const [name, setName] = useState("");
  const [ttl, setTtl] = useState("7776000");
  const mint = useMutation({
    mutationFn: () => mutations.mintToken({ kind, name: name.trim(), ttl_seconds: Number(ttl) }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  return (
    <section className="panel panel-body stack">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          mint.mutate();
        }}
      >
        <div className="form-row">
          <Choice
            legend={t("tokens.kind")}
            value={kind}
            options={KINDS.map((value) => ({ value, label: t(`tokens.kind.${value}`) }))}
            onChange={setKind}
          />
          <Field label={t("tokens.name")} hint={t("tokens.nameHint")}>
            {(ids) => <input {...ids} className="input" required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
          <Field label={t("tokens.ttl")}>
            {(ids) => (
              <select {...ids} className="select" value={ttl} onChange={(event) => setTtl(event.target.value)}>
                {LIFETIMES.map((seconds) => (
                  <option key={seconds} value={seconds}>
                    {t(`tokens.ttl.${seconds}`)}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </div>
        <button type="submit" className="button button-primary start" disabled={mint.isPending}>
          {t("tokens.create")}
        </button>
      </form>
      {mint.isError && (
        <p className="notice notice-critical" role="alert">
          {errorSentence(mint.error)}
        </p>
      )}
      {mint.data && (
        <div className="notice notice-ok">
          <p className="notice-title">{t("tokens.created")}</p>
          <CopyLine text={`export DHARMA_TOKEN=${mint.data.text}`} label={t("tokens.use")} />
        </div>
      )}
    </section>
  );
}

export function TokensPage() {
  usePageTitle(t("tokens.title"));
  const { data, error, refetch } = useQuery(tokensQuery);
  return (
    <div className="page narrow">
      <h1>{t("tokens.title")}</h1>
      <p className="muted">
        {t("tokens.lead")} {t("tokens.joinHint")} <Link to={paths.agentAdd}>{t("agents.add")}</Link>
      </p>
      <CreateForm />
      {error && <ErrorPanel error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data?.tokens.length === 0 && <Empty title={t("tokens.empty")} hint={t("tokens.emptyHint")} />}
      {data && data.tokens.length > 0 && <TokenTable tokens={data.tokens} />}
    </div>
  );
}
