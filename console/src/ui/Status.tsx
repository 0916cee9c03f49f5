/** A status as shape, color and word: color alone never carries it. */
import { t, tOr } from "../messages/index.ts";

type Tone = "ok" | "warning" | "critical" | "stale" | "unknown" | "info";

const TONES: { [status: string]: Tone } = {
  active: "ok",
  missing: "warning",
  stale: "stale",
  retired: "unknown",
  connected: "ok",
  disconnected: "warning",
  revoked: "critical",
  expired: "stale",
  used_up: "unknown",
  complete: "ok",
  partial: "warning",
  restricted: "warning",
  not_looked_at: "unknown",
  not_present: "unknown",
  done: "ok",
  failed: "critical",
  waiting: "info",
  running: "info",
  paused: "warning",
  unassigned: "warning",
  not_yet: "unknown",
};

/** The shape of each tone: dot, triangle, diamond, clock, question mark, ring. */
export function Shape({ tone }: { tone: Tone }) {
  return (
    <svg className={`shape shape-${tone}`} viewBox="0 0 12 12" aria-hidden="true">
      {tone === "ok" && <circle cx="6" cy="6" r="4.2" />}
      {tone === "warning" && <path d="M6 1.2 11.4 10.8H.6z" />}
      {tone === "critical" && <path d="M6 .4 11.6 6 6 11.6.4 6z" />}
      {tone === "stale" && <path d="M6 .8a5.2 5.2 0 1 0 0 10.4A5.2 5.2 0 0 0 6 .8zM5.2 3h1.6v2.7l2 1.2-.8 1.3-2.8-1.7z" />}
      {tone === "info" && <path d="M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1zm0 1.8a3.2 3.2 0 1 1 0 6.4 3.2 3.2 0 0 1 0-6.4z" />}
      {tone === "unknown" && <path d="M6 .8c2 0 3.4 1.2 3.4 2.9 0 2.2-2.4 2.3-2.4 3.9H5.2c0-2.5 2.3-2.5 2.3-3.8 0-.8-.6-1.3-1.5-1.3-.9 0-1.6.6-1.6 1.5H2.6C2.6 2 4 .8 6 .8zM5.1 8.9h2v2h-2z" />}
    </svg>
  );
}

export function Status({ status, title }: { status: string; title?: string }) {
  const tone = TONES[status] ?? "unknown";
  return (
    <span className={`status tone-${tone}`} title={title ?? tOr(`state.hint.${status}`, "")}>
      <Shape tone={tone} />
      {tOr(`state.${status}`, status)}
    </span>
  );
}

/** The state of one step of a machine that joins. */
export function StepShape({ state }: { state: "waiting" | "done" | "failed" }) {
  return (
    <span className={`status tone-${TONES[state] ?? "unknown"}`}>
      <Shape tone={TONES[state] ?? "unknown"} />
      {t(`add.stepState.${state}`)}
    </span>
  );
}
