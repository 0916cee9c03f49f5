/** What became different, anywhere, newest first. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import { catalogQuery, changesQuery, queryClient } from "../api/queries.ts";
import type { Change } from "../api/types.ts";
import { Timeline } from "../changes/Timeline.tsx";
import { useChanges } from "../live/live.ts";
import { t } from "../messages/index.ts";
import { Kept } from "../past/Kept.tsx";
import { paths } from "../paths.ts";
import { type ChangesSearch, SPANS } from "../search.ts";
import { Choice } from "../ui/Choice.tsx";
import { More } from "../ui/More.tsx";
import { Empty, ErrorPanel, Loading } from "../ui/states.tsx";
import { usePageTitle } from "../ui/usePageTitle.ts";

const route = getRouteApi("/inside/changes");

const SPAN_MILLISECONDS = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, all: undefined } as const;

/** The start of the span, fixed to the minute the page was opened so that the question stays the same. */
function useSince(span: (typeof SPANS)[number]): string | undefined {
  const [opened] = useState(() => Math.floor(Date.now() / 60_000) * 60_000);
  const length = SPAN_MILLISECONDS[span];
  return length === undefined ? undefined : new Date(opened - length).toISOString();
}

export function ChangesPage() {
  usePageTitle(t("changes.title"));
  const search = route.useSearch();
  const span = search.since ?? "24h";
  const params = { class: search.class, since: useSince(span) };
  const pages = useInfiniteQuery(changesQuery(params));
  const [fresh, setFresh] = useState(0);
  const hear = useCallback(
    (changes: Change[]) =>
      setFresh((before) => before + changes.filter((change) => !search.class || change.class === search.class).length),
    [search.class],
  );
  useChanges(hear);
  const show = () => {
    setFresh(0);
    void queryClient.resetQueries({ queryKey: ["changes", "all"] });
  };
  const all = pages.data?.pages.flatMap(({ changes }) => changes);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t("changes.title")}</h1>
        <p className="muted">{t("changes.lead")}</p>
        <Kept />
      </div>
      <Filters search={search} span={span} />
      {fresh > 0 && (
        <button type="button" className="new-bar" onClick={show}>
          {t("changes.new", { count: fresh })}
        </button>
      )}
      {pages.error && <ErrorPanel error={pages.error} retry={() => void pages.refetch()} />}
      {pages.isPending && <Loading />}
      {all?.length === 0 && <Empty title={t("changes.empty")} hint={t("changes.emptyHint")} />}
      {all && all.length > 0 && <Timeline changes={all} hasItem />}
      <More pages={pages} />
    </div>
  );
}

function Filters({ search, span }: { search: ChangesSearch; span: (typeof SPANS)[number] }) {
  const navigate = useNavigate();
  const { data: catalog } = useQuery(catalogQuery);
  const change = (next: ChangesSearch) => void navigate({ to: paths.changes, search: { ...search, ...next } });
  return (
    <div className="form-row">
      <Choice
        legend={t("changes.since")}
        value={span}
        options={SPANS.map((value) => ({ value, label: t(`changes.since.${value}`) }))}
        onChange={(value) => change({ since: value })}
      />
      <label className="choice">
        <span className="choice-legend">{t("changes.class")}</span>
        <select className="select" value={search.class ?? ""} onChange={(event) => change({ class: event.target.value || undefined })}>
          <option value="">{t("changes.anyClass")}</option>
          {catalog?.classes.map(({ name, plural }) => (
            <option key={name} value={name}>
              {plural}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
