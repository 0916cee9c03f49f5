/** What was just done, with the way back. It stays until it is closed or something else is done: nobody has to hurry. */
import { Undo2, X } from "lucide-react";
import { t } from "../messages/index.ts";
import { errorSentence } from "../ui/states.tsx";
import { refusals } from "./queue.ts";
import type { LastDone } from "./useDone.ts";

export function Toast({ last }: { last: LastDone }) {
  const { done, setDone, canTakeBack, takeBack, error } = last;
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
          <button type="button" className="button-icon" aria-label={t("common.close")} onClick={() => setDone(null)}>
            <X size={16} aria-hidden="true" />
          </button>
        </div>
      )}
    </div>
  );
}
