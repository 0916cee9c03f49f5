/** What a join token allows: how long, how many machines, where, with which labels. Good defaults: one click. */
import { useState } from "react";
import type { TokenRequest } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Field } from "../ui/Field.tsx";
import { parseLabels } from "./labels.ts";

const LIFETIMES = ["900", "3600", "86400", "604800"] as const;
/** The API refuses more uses of one token. */
const USES_MAX = 10_000;

export function JoinForm({ isPending, submit }: { isPending: boolean; submit: (request: TokenRequest) => void }) {
  const [ttl, setTtl] = useState("3600");
  const [uses, setUses] = useState("1");
  const [site, setSite] = useState("default");
  const [labels, setLabels] = useState("");
  const parsed = parseLabels(labels);
  return (
    <form
      className="panel panel-body stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (!parsed) return;
        submit({ kind: "join", ttl_seconds: Number(ttl), uses: Number(uses), site: site.trim(), labels: parsed, name: "" });
      }}
    >
      <div className="form-row">
        <Field label={t("add.ttl")}>
          {(ids) => (
            <select {...ids} className="select" value={ttl} onChange={(event) => setTtl(event.target.value)}>
              {LIFETIMES.map((seconds) => (
                <option key={seconds} value={seconds}>
                  {t(`add.ttl.${seconds}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t("add.uses")} hint={t("add.usesHint")}>
          {(ids) => (
            <input {...ids} className="input" type="number" min="1" max={USES_MAX} required value={uses} onChange={(event) => setUses(event.target.value)} />
          )}
        </Field>
        <Field label={t("add.site")} hint={t("add.siteHint")}>
          {(ids) => <input {...ids} className="input" required spellCheck={false} value={site} onChange={(event) => setSite(event.target.value)} />}
        </Field>
        <Field label={t("add.labels")} hint={t("add.labelsHint")} {...(parsed ? {} : { error: t("add.labelsWrong") })}>
          {(ids) => <input {...ids} className="input" spellCheck={false} value={labels} onChange={(event) => setLabels(event.target.value)} />}
        </Field>
      </div>
      <button type="submit" className="button button-primary start" disabled={isPending}>
        {t("add.submit")}
      </button>
    </form>
  );
}
