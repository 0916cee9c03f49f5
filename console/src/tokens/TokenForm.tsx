/** Makes a personal or service token, and shows its secret once. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { mutations, queryClient, tokensQuery } from "../api/queries.ts";
import type { TokenKind, TokenScope } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Choice } from "../ui/Choice.tsx";
import { CopyLine } from "../ui/Copy.tsx";
import { Field } from "../ui/Field.tsx";
import { errorSentence } from "../ui/states.tsx";

const LIFETIMES = ["86400", "2592000", "7776000"] as const;
const KINDS: TokenKind[] = ["personal", "service"];
/** Each includes those before it. */
const SCOPES: TokenScope[] = ["read", "write", "admin"];

export function TokenForm() {
  const [kind, setKind] = useState<TokenKind>("personal");
  const [name, setName] = useState("");
  const [scope, setScope] = useState<TokenScope>("read");
  const [ttl, setTtl] = useState("7776000");
  const mint = useMutation({
    mutationFn: () => mutations.mintToken({ kind, name: name.trim(), ttl_seconds: Number(ttl), scopes: SCOPES.slice(0, SCOPES.indexOf(scope) + 1) }),
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
          <Choice
            legend={t("tokens.scope")}
            value={scope}
            options={SCOPES.map((value) => ({ value, label: t(`tokens.scope.${value}`) }))}
            onChange={setScope}
          />
        </div>
        <div className="form-row">
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
