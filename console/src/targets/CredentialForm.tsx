/** Stores a credential. Its secrets are typed here, sent once, and never shown again. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { queryClient } from "../api/queries.ts";
import { credentialsQuery, targetCommands } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { Field } from "../ui/Field.tsx";
import { errorSentence } from "../ui/states.tsx";
import { TextArea, TextField } from "./fields.tsx";
import { pairs } from "./text.ts";

/** The kinds that collectors use, each with the names of its secrets. */
const KINDS: { [kind: string]: string[] } = {
  snmp_community: ["community"],
  snmp_user: ["auth_password", "privacy_password"],
  ssh_password: ["password"],
  ssh_key: ["private_key", "passphrase"],
  ipmi_user: ["password"],
  http_basic: ["password"],
};

export function CredentialForm() {
  const [name, setName] = useState("");
  const [kind, setKind] = useState("snmp_community");
  const [settings, setSettings] = useState("");
  const [references, setReferences] = useState("");
  const [secrets, setSecrets] = useState<{ [name: string]: string }>({});
  const put = useMutation({
    mutationFn: () => {
      const given = Object.entries(secrets).filter(([, secret]) => secret !== "");
      return targetCommands.putCredential(name.trim(), { kind, settings: pairs(settings), references: pairs(references), secrets: Object.fromEntries(given) });
    },
    onSuccess: async () => {
      setSecrets({});
      setName("");
      await queryClient.invalidateQueries({ queryKey: credentialsQuery.queryKey });
    },
  });
  const change = (secret: string, value: string) => setSecrets({ ...secrets, [secret]: value });
  return (
    <form
      className="panel panel-body stack"
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate();
      }}
    >
      <div className="form-row">
        <TextField label={t("targets.name")} hint={t("credentials.nameHint")} isRequired value={name} onChange={setName} />
        <Field label={t("credentials.kind")}>
          {(ids) => (
            <select {...ids} className="select" value={kind} onChange={(event) => { setKind(event.target.value); setSecrets({}); }}>
              {Object.keys(KINDS).map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </select>
          )}
        </Field>
        {(KINDS[kind] ?? []).map((secret) =>
          secret === "private_key" ? (
            <TextArea key={secret} label={secret} value={secrets[secret] ?? ""} onChange={(value) => change(secret, value)} />
          ) : (
            <TextField key={secret} label={secret} isSecret value={secrets[secret] ?? ""} onChange={(value) => change(secret, value)} />
          ),
        )}
      </div>
      <div className="form-row">
        <TextArea label={t("credentials.settings")} hint={t("credentials.settingsHint")} value={settings} onChange={setSettings} />
        <TextArea label={t("credentials.references")} hint={t("credentials.referencesHint")} value={references} onChange={setReferences} />
      </div>
      {put.isError && (
        <p className="notice notice-critical" role="alert">
          {errorSentence(put.error)}
        </p>
      )}
      {put.isSuccess && <p role="status">{t("credentials.stored")}</p>}
      <button type="submit" className="button start" disabled={put.isPending}>
        {t("credentials.store")}
      </button>
    </form>
  );
}
