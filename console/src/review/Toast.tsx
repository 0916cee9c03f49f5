/** What was just done, with the way back. It stays until it is closed or something else is done: nobody has to hurry. */
import { useMutation } from "@tanstack/react-query";
import { Undo2, X } from "lucide-react";
import { t } from "../messages/index.ts";
import { errorSentence } from "../ui/states.tsx";
import { refusals, wayBack } from "./queue.ts";
import { say } from "./questions.ts";
import type { WordResult } from "./types.ts";

export interface Done {
  text: string;
  results: WordResult[];
}

interface ToastProps {
  done: Done | null;
  onDone: (done: Done | null) => void;
}

/** Taking back what was done last; nothing when there is nothing. */
export function useTakeBack(done: Done | null, onDone: (done: Done | null) => void) {
  const words = done ? wayBack(done.results) : [];
  const back = useMutation({
    mutationFn: () => say(words),
    onSuccess: (results) => onDone({ text: t("review.tookBack", { count: words.length }), results: results.map((result) => ({ ...result, action: null })) }),
  });
  return { canTakeBack: words.length > 0 && !back.isPending, takeBack: () => back.mutate(), error: back.error };
}

export function Toast({ done, onDone }: ToastProps) {
  const { canTakeBack, takeBack, error } = useTakeBack(done, onDone);
  const refused = done ? refusals(done.results) : [];
  return (
    <div className="toast-place" role="status">
      {done && (
        <div className="toast">
          <div>
            <p>{done.text}</p>
            {refused.length > 0 && (
              <p>
                {t("review.refused", { count: refused.length })} {refused[0]}
              </p>
            )}
            {error && <p>{errorSentence(error)}</p>}
          </div>
          {canTakeBack && (
            <button type="button" className="button" onClick={takeBack}>
              <Undo2 size={14} aria-hidden="true" />
              {t("review.undo")}
            </button>
          )}
          <button type="button" className="button-icon" aria-label={t("common.close")} onClick={() => onDone(null)}>
            <X size={16} aria-hidden="true" />
          </button>
        </div>
      )}
    </div>
  );
}
