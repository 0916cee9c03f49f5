/** Has targets looked at now, and says how many agents were told of. */
import { useMutation } from "@tanstack/react-query";
import { targetCommands } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { errorSentence } from "../ui/states.tsx";

export function RunNow({ name, address }: { name: string; address?: string }) {
  const run = useMutation({ mutationFn: () => targetCommands.run(name, address) });
  const label = address ? t("targets.runLabel", { name: address }) : t("targets.runLabel", { name });
  return (
    <>
      <button type="button" className="button" aria-label={label} disabled={run.isPending} onClick={() => run.mutate()}>
        {t("targets.run")}
      </button>{" "}
      <span role="status" className="muted small">
        {run.isSuccess && t("targets.running", { count: run.data.targets_count })}
        {run.isError && errorSentence(run.error)}
      </span>
    </>
  );
}
