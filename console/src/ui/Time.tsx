/** A moment told as an age, with the exact moment in UTC on hover. Ages are told anew once a minute. */
import { useSyncExternalStore } from "react";
import { t } from "../messages/index.ts";
import { formatAge, formatMoment, formatUtc } from "../values/format.ts";

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
/** Ages change by the minute, and by the second only in the first one. */
const TICK_MILLISECONDS = 10_000;

function subscribe(listener: () => void): () => void {
  // Nobody looked at the clock for a while: it starts with the present.
  if (timer === undefined) now = Date.now();
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, TICK_MILLISECONDS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The present, as it is shown: it moves in ticks. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export function Age({ time }: { time: string | null | undefined }) {
  const present = useNow();
  if (!time) return <span className="muted">{t("common.never")}</span>;
  return (
    <time dateTime={time} title={formatUtc(time)}>
      {formatAge(time, present)}
    </time>
  );
}

/** The exact moment, for places where the age says too little. */
export function Moment({ time }: { time: string }) {
  return (
    <time dateTime={time} title={formatUtc(time)}>
      {formatMoment(time)}
    </time>
  );
}
