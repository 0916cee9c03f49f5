/** Stores a target set: a new one, or the same one changed. What has no field here keeps what it had. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { queryClient } from "../api/queries.ts";
import { type TargetSet, credentialsQuery, targetCommands, targetsQuery } from "../api/targets.ts";
import { t } from "../messages/index.ts";
import { errorSentence } from "../ui/states.tsx";
import { FlagField, TextArea, TextField } from "./fields.tsx";
import { lines, pairs, unpaired, words } from "./text.ts";

function draftOf(set?: TargetSet) {
  return {
    name: set?.name ?? "",
    collector: set?.collector ?? "",
    site: set?.site ?? "",
    addresses: set?.addresses.join("\n") ?? "",
    exclusions: set?.exclusions.join("\n") ?? "",
    credentials: set?.credentials.join(", ") ?? "",
    options: set ? unpaired(set.options) : "",
    windows: set?.windows.join("\n") ?? "",
    port: set?.port?.toString() ?? "",
    interval: set?.interval_seconds?.toString() ?? "",
    isFragile: set?.is_fragile ?? false,
    isEnabled: set?.is_enabled ?? true,
  };
}

const numberOf = (text: string): number | null => (text.trim() === "" ? null : Number(text));

export function SetForm({ set, onDone }: { set?: TargetSet; onDone?: () => void }) {
  const [draft, setDraft] = useState(() => draftOf(set));
  const change = (part: Partial<typeof draft>) => setDraft({ ...draft, ...part });
  const put = useMutation({
    mutationFn: () =>
      targetCommands.put(draft.name.trim(), {
        agents: set?.agents ?? [],
        concurrency: set?.concurrency ?? null,
        looks_per_minute: set?.looks_per_minute ?? null,
        is_whole: set?.is_whole ?? null,
        collector: draft.collector.trim(),
        site: draft.site.trim(),
        addresses: words(draft.addresses),
        exclusions: words(draft.exclusions),
        credentials: words(draft.credentials),
        options: pairs(draft.options),
        windows: lines(draft.windows),
        port: numberOf(draft.port),
        interval_seconds: numberOf(draft.interval),
        is_fragile: draft.isFragile,
        is_enabled: draft.isEnabled,
      }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: targetsQuery.queryKey });
      await queryClient.invalidateQueries({ queryKey: credentialsQuery.queryKey });
      onDone?.();
    },
  });
  return (
    <form
      className="panel panel-body stack"
      onSubmit={(event) => {
        event.preventDefault();
        put.mutate();
      }}
    >
      <div className="form-row">
        {!set && <TextField label={t("targets.name")} hint={t("targets.nameHint")} isRequired value={draft.name} onChange={(name) => change({ name })} />}
        <TextField label={t("targets.collector")} hint={t("targets.collectorHint")} isRequired value={draft.collector} onChange={(collector) => change({ collector })} />
        <TextField label={t("targets.site")} hint={t("targets.siteHint")} value={draft.site} onChange={(site) => change({ site })} />
      </div>
      <TextArea label={t("targets.addresses")} hint={t("targets.addressesHint")} isRequired value={draft.addresses} onChange={(addresses) => change({ addresses })} />
      <TextArea label={t("targets.exclusions")} value={draft.exclusions} onChange={(exclusions) => change({ exclusions })} />
      <div className="form-row">
        <TextField label={t("credentials.title")} hint={t("targets.credentialsHint")} value={draft.credentials} onChange={(credentials) => change({ credentials })} />
        <TextField label={t("targets.port")} isNumber value={draft.port} onChange={(port) => change({ port })} />
        <TextField label={t("targets.interval")} hint={t("targets.intervalHint")} isNumber value={draft.interval} onChange={(interval) => change({ interval })} />
      </div>
      <div className="form-row">
        <TextArea label={t("targets.windows")} hint={t("targets.windowsHint")} value={draft.windows} onChange={(windows) => change({ windows })} />
        <TextArea label={t("targets.options")} hint={t("targets.optionsHint")} value={draft.options} onChange={(options) => change({ options })} />
      </div>
      <FlagField label={t("targets.fragile")} value={draft.isFragile} onChange={(isFragile) => change({ isFragile })} />
      <FlagField label={t("targets.enabled")} value={draft.isEnabled} onChange={(isEnabled) => change({ isEnabled })} />
      {put.isError && (
        <p className="notice notice-critical" role="alert">
          {errorSentence(put.error)}
        </p>
      )}
      <button type="submit" className="button button-primary start" disabled={put.isPending}>
        {t("targets.store")}
      </button>
    </form>
  );
}
