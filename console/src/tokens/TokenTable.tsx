/** The tokens that exist, without their secrets, and their end. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { mutations, queryClient, tokensQuery } from "../api/queries.ts";
import type { Token } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { Status } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { errorSentence } from "../ui/states.tsx";

const nameOf = (token: Token): string => token.name || token.id;

function Confirm({ token, onClose }: { token: Token; onClose: () => void }) {
  const revoke = useMutation({
    mutationFn: () => mutations.revokeToken(token.id),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: tokensQuery.queryKey });
      onClose();
    },
  });
  return (
    <Dialog title={t("tokens.deleteTitle")} onClose={onClose}>
      <p>
        <strong>{nameOf(token)}</strong>
      </p>
      <p>{t("tokens.deleteLead")}</p>
      {revoke.isError && (
        <p className="notice notice-critical" role="alert">
          {errorSentence(revoke.error)}
        </p>
      )}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          {t("common.cancel")}
        </button>
        <button type="button" className="button button-danger" disabled={revoke.isPending} onClick={() => revoke.mutate()}>
          {t("tokens.delete")}
        </button>
      </div>
    </Dialog>
  );
}

export function TokenTable({ tokens }: { tokens: Token[] }) {
  const [ending, setEnding] = useState<Token | null>(null);
  return (
    <div className="panel table-wrap" tabIndex={0} role="group" aria-label={t("tokens.list")}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t("tokens.name")}</th>
            <th scope="col">{t("tokens.kind")}</th>
            <th scope="col">{t("tokens.state")}</th>
            <th scope="col" className="number">
              {t("tokens.uses")}
            </th>
            <th scope="col">{t("tokens.createdAt")}</th>
            <th scope="col">{t("tokens.lastUsed")}</th>
            <th scope="col">{t("tokens.expires")}</th>
            <th scope="col">
              <span className="visually-hidden">{t("tokens.delete")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.map((token) => (
            <tr key={token.id}>
              <td>{token.name || <code>{token.id}</code>}</td>
              <td>{t(`tokens.kind.${token.kind}`)}</td>
              <td>
                <Status status={token.state} />
              </td>
              <td className="number">{token.kind === "join" ? (token.uses_left ?? 0) : t("tokens.unlimited")}</td>
              <td>
                <Age time={token.created_at} />
              </td>
              <td>
                <Age time={token.last_used_at} />
              </td>
              <td>
                <Age time={token.expires_at} />
              </td>
              <td>
                <button type="button" className="button" disabled={token.state === "revoked"} title={token.state === "revoked" ? t("agents.revokedReason") : undefined} aria-label={t("tokens.deleteLabel", { name: nameOf(token) })} onClick={() => setEnding(token)}>
                  {t("tokens.delete")}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {ending && <Confirm token={ending} onClose={() => setEnding(null)} />}
    </div>
  );
}
