/** Ends an agent's trust: confirmed by typing its name, since it cannot be taken back. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { mutations, queryClient } from "../api/queries.ts";
import type { Agent } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { Field } from "../ui/Field.tsx";
import { errorSentence } from "../ui/states.tsx";

export function RevokeAgent({ agent }: { agent: Agent }) {
  const [isOpen, setOpen] = useState(false);
  const isRevoked = agent.state === "revoked";
  return (
    <>
      <button
        type="button"
        className="button button-danger"
        disabled={isRevoked}
        title={isRevoked ? t("agents.revokedReason") : undefined}
        onClick={() => setOpen(true)}
      >
        {t("agents.revoke")}
      </button>
      {isOpen && <Confirm agent={agent} onClose={() => setOpen(false)} />}
    </>
  );
}

function Confirm({ agent, onClose }: { agent: Agent; onClose: () => void }) {
  const name = agent.name || agent.id;
  const [typed, setTyped] = useState("");
  const revoke = useMutation({
    mutationFn: () => mutations.revokeAgent(agent.id),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ["agents"] });
      onClose();
    },
  });
  return (
    <Dialog title={t("agents.revokeTitle", { name })} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === name) revoke.mutate();
        }}
      >
        <p>{t("agents.revokeLead")}</p>
        <Field label={t("agents.revokeType", { name })}>
          {(ids) => (
            <input {...ids} className="input" autoFocus autoComplete="off" spellCheck={false} value={typed} onChange={(event) => setTyped(event.target.value)} />
          )}
        </Field>
        {revoke.isError && (
          <p className="notice notice-critical" role="alert">
            {errorSentence(revoke.error)}
          </p>
        )}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {t("common.cancel")}
          </button>
          <button type="submit" className="button button-danger" disabled={typed !== name || revoke.isPending}>
            {t("agents.revoke")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
