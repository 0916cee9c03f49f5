/** Shows what would follow from words before they are said: nothing is decided blindly. */
import { useMutation, useQueries } from "@tanstack/react-query";
import { t } from "../messages/index.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { ErrorPanel, errorSentence } from "../ui/states.tsx";
import { Preview } from "./Preview.tsx";
import { say, simulationQuery } from "./questions.ts";
import type { Simulation, Word, WordResult } from "./types.ts";

export interface Wanted {
  what: "join" | "keep_apart" | "divide";
  words: Word[];
}

const TITLES = { join: "review.joinTitle", keep_apart: "review.apartTitle", divide: "review.divideTitle" } as const;
const ACTIONS = { join: "review.join", keep_apart: "review.apart", divide: "review.divide" } as const;

function Summary({ simulations }: { simulations: Simulation[] }) {
  const sum = (of: (simulation: Simulation) => number) => simulations.reduce((total, each) => total + of(each), 0);
  return (
    <p>
      {t("review.wouldMerge", { count: sum(({ merges }) => merges) })} {t("review.wouldSplit", { count: sum(({ splits }) => splits) })}{" "}
      {t("review.wouldMove", { count: sum(({ moved_sightings }) => moved_sightings) })}
    </p>
  );
}

interface ConfirmProps {
  wanted: Wanted;
  onClose: () => void;
  onDone: (wanted: Wanted, results: WordResult[]) => void;
}

export function Confirm({ wanted, onClose, onDone }: ConfirmProps) {
  const { what, words } = wanted;
  const answers = useQueries({ queries: words.map(simulationQuery) });
  const act = useMutation({
    mutationFn: () => say(words),
    onSuccess: (results) => {
      onDone(wanted, results);
      onClose();
    },
  });
  const isPending = answers.some((answer) => answer.isPending);
  const simulations = answers.flatMap(({ data }) => data ?? []);
  const failed = answers.find(({ error }) => error)?.error;
  return (
    <Dialog title={t(TITLES[what], { count: words.length })} onClose={onClose} className="dialog-wide">
      <div aria-live="polite" className="stack">
        {isPending && <p className="muted">{t("review.simulating")}</p>}
        {failed && <ErrorPanel error={failed} />}
        {!isPending && <Summary simulations={simulations} />}
      </div>
      {!isPending && (
        <div className="preview-list" tabIndex={0} role="group" aria-label={t("review.preview")}>
          {simulations.map((simulation, index) => (
            // One for each word, in their order.
            <Preview key={index} simulation={simulation} />
          ))}
          {what === "keep_apart" && <p className="muted">{t("review.apartHint")}</p>}
        </div>
      )}
      {act.isError && (
        <p className="notice notice-critical" role="alert">
          {errorSentence(act.error)}
        </p>
      )}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          {t("common.cancel")}
        </button>
        <button
          type="button"
          className="button button-primary"
          // Enter confirms as soon as what follows is shown.
          ref={(button) => (isPending ? undefined : button?.focus())}
          disabled={isPending || act.isPending || simulations.length === 0}
          onClick={() => act.mutate()}
        >
          {t(ACTIONS[what])}
        </button>
      </div>
    </Dialog>
  );
}
