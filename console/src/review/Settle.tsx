/** A word about what is held. Retiring asks for the number of items, so that nobody retires something else than they saw. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { HeldRetirement } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { Field } from "../ui/Field.tsx";
import { errorSentence } from "../ui/states.tsx";
import { settleHeld } from "./questions.ts";

export type Verdict = "approve" | "dismiss";

interface SettleProps {
  held: HeldRetirement;
  verdict: Verdict;
  onClose: () => void;
  onDone: (text: string) => void;
}

export function Settle({ held, verdict, onClose, onDone }: SettleProps) {
  const [typed, setTyped] = useState("");
  const isApproval = verdict === "approve";
  const settle = useMutation({
    mutationFn: () => settleHeld(held.id, verdict),
    onSuccess: (count) => {
      onDone(isApproval ? t("review.approved", { count }) : t("review.dismissed"));
      onClose();
    },
  });
  const isSure = !isApproval || typed.trim() === String(held.count);
  return (
    <Dialog title={t(isApproval ? "review.approveTitle" : "review.dismissTitle", { scope: held.scope })} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (isSure) settle.mutate();
        }}
      >
        <p>{t(isApproval ? "review.approveLead" : "review.dismissLead", { count: held.count })}</p>
        {isApproval && (
          <Field label={t("review.approveType", { count: String(held.count) })}>
            {(ids) => <input {...ids} className="input" inputMode="numeric" autoComplete="off" autoFocus value={typed} onChange={(event) => setTyped(event.target.value)} />}
          </Field>
        )}
        {settle.isError && (
          <p className="notice notice-critical" role="alert">
            {errorSentence(settle.error)}
          </p>
        )}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {t("common.cancel")}
          </button>
          <button type="submit" className={isApproval ? "button button-danger" : "button button-primary"} disabled={!isSure || settle.isPending}>
            {t(isApproval ? "review.approve" : "review.dismiss")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
