/** The credentials, without their secrets: what uses them, whether they work, and their end. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { queryClient } from "../api/queries.ts";
import { type Credential, credentialsQuery, targetCommands } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { Age } from "../ui/Time.tsx";
import { errorSentence } from "../ui/states.tsx";
import { CredentialTest } from "./CredentialTest.tsx";

function Row({ credential, onTest }: { credential: Credential; onTest: () => void }) {
  const remove = useMutation({
    mutationFn: () => targetCommands.removeCredential(credential.name),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: credentialsQuery.queryKey }),
  });
  const isUsed = credential.used_by.length > 0;
  const secrets = [...credential.secrets, ...Object.keys(credential.references)].join(", ");
  return (
    <tr>
      <td>{credential.name}</td>
      <td className="mono">{credential.kind}</td>
      <td>{credential.is_usable ? secrets : t("credentials.unusable")}</td>
      <td>{credential.used_by.join(", ") || t("common.none")}</td>
      <td>
        <Age time={credential.changed_at} />
      </td>
      <td className="nowrap">
        <button type="button" className="button" aria-label={t("credentials.testLabel", { name: credential.name })} onClick={onTest}>
          {t("credentials.test")}
        </button>{" "}
        <button
          type="button"
          className="button"
          disabled={isUsed || remove.isPending}
          title={isUsed ? t("credentials.usedReason") : undefined}
          aria-label={t("credentials.removeLabel", { name: credential.name })}
          onClick={() => remove.mutate()}
        >
          {t("targets.remove")}
        </button>
        {remove.isError && <span role="alert">{errorSentence(remove.error)}</span>}
      </td>
    </tr>
  );
}

export function CredentialTable({ credentials }: { credentials: Credential[] }) {
  const [testing, setTesting] = useState<string | null>(null);
  return (
    <div className="panel table-wrap" tabIndex={0} role="group" aria-label={t("credentials.title")}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t("targets.name")}</th>
            <th scope="col">{t("credentials.kind")}</th>
            <th scope="col">{t("credentials.secrets")}</th>
            <th scope="col">{t("credentials.usedBy")}</th>
            <th scope="col">{t("credentials.changed")}</th>
            <th scope="col">
              <span className="visually-hidden">{t("credentials.test")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {credentials.map((credential) => (
            <Row key={credential.name} credential={credential} onTest={() => setTesting(credential.name)} />
          ))}
        </tbody>
      </table>
      {testing && <CredentialTest name={testing} onClose={() => setTesting(null)} />}
    </div>
  );
}
