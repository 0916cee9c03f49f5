/**
 * The stream of changes: one connection per tab, resumed from the last revision, paused while the page is hidden.
 *
 * What it hears is flushed at most four times a second. When a resume is refused it says so, and whoever
 * listens asks anew. It knows nothing of caches: `apply.ts` does.
 */
import { basePath, queryString } from "../api/client.ts";
import type { Change, ChangeEvent } from "../api/types.ts";
import { type StreamEvent, eventParser } from "./parser.ts";

export type LiveStatus = "connecting" | "live" | "paused" | "offline";

export interface LiveState {
  status: LiveStatus;
  /** When something was last heard, by this browser's clock. */
  heardAt: number;
}

export interface Handlers {
  changes: (changes: Change[]) => void;
  agents: () => void;
  /** What was cached before this moment may have missed something. */
  gap: (before: number) => void;
  /** The session is over. */
  loggedOut: () => void;
}

/** Four flushes a second at most, so that a burst costs no more than a person can see. */
const FLUSH_MILLISECONDS = 250;
/** The server pings every 15 seconds; two missed pings mean that the connection is dead. */
const SILENCE_MILLISECONDS = 35_000;
const BACKOFF_FIRST_MILLISECONDS = 500;
const BACKOFF_MAX_MILLISECONDS = 30_000;
/** More changes than this between two flushes are not applied one by one: the caches are asked anew. */
const BURST_MAX = 2_000;

export class LiveStream {
  private state: LiveState = { status: "connecting", heardAt: Date.now() };
  private readonly listeners = new Set<() => void>();
  private abort: AbortController | null = null;
  private revision = "";
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private flush: ReturnType<typeof setTimeout> | undefined;
  private waiting: Change[] = [];
  private isStarted = false;

  constructor(private readonly handlers: Handlers) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = (): LiveState => this.state;

  start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    document.addEventListener("visibilitychange", this.visibility);
    this.visibility();
  }

  stop(): void {
    this.isStarted = false;
    this.revision = "";
    document.removeEventListener("visibilitychange", this.visibility);
    this.disconnect();
  }

  private readonly visibility = (): void => {
    this.disconnect();
    if (document.visibilityState === "hidden") this.become("paused");
    else void this.connect();
  };

  private disconnect(): void {
    clearTimeout(this.retry);
    this.abort?.abort();
    this.abort = null;
  }

  private become(status: LiveStatus): void {
    const heardAt = status === "live" ? Date.now() : this.state.heardAt;
    this.state = { status, heardAt };
    for (const listener of this.listeners) listener();
  }

  private async connect(): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    if (this.state.status !== "offline") this.become("connecting");
    try {
      await this.read(abort);
    } catch {
      // A broken connection is ordinary: it is opened again below.
    }
    if (this.abort !== abort || !this.isStarted) return;
    this.become("offline");
    const wait = Math.min(BACKOFF_MAX_MILLISECONDS, BACKOFF_FIRST_MILLISECONDS * 2 ** this.failures);
    this.failures += 1;
    // Jitter, so that a fleet of open tabs does not return to a restarted server in one moment.
    this.retry = setTimeout(() => void this.connect(), wait * (0.5 + Math.random() / 2));
  }

  private async read(abort: AbortController): Promise<void> {
    const response = await fetch(
      `${basePath()}api/v1/events${queryString({ after: this.revision })}`,
      { headers: { accept: "text/event-stream" }, signal: abort.signal, credentials: "same-origin" },
    );
    if (response.status === 401) {
      this.stop();
      return this.handlers.loggedOut();
    }
    // Whatever the reason of the refusal, the place in the history is of no use: the next attempt begins anew.
    if (response.status >= 400 && response.status < 500) this.revision = "";
    if (!response.ok || !response.body) return;
    // Without a revision to resume from, something may have happened since the caches were filled.
    if (this.revision === "") this.handlers.gap(Date.now());
    this.failures = 0;
    this.become("live");
    const parse = eventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let watchdog = setTimeout(() => abort.abort(), SILENCE_MILLISECONDS);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => void reader.cancel(), SILENCE_MILLISECONDS);
        this.state = { ...this.state, heardAt: Date.now() };
        for (const event of parse(value)) this.hear(event);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  private hear(event: StreamEvent): void {
    if (event.event === "agents") this.handlers.agents();
    // The stream ends after it: most likely we fell too far behind to be caught up.
    if (event.event === "error") this.revision = "";
    if (event.event === "ping") this.place(JSON.parse(event.data) as { revision?: number });
    if (event.event !== "change") return;
    const batch = JSON.parse(event.data) as ChangeEvent;
    this.revision = event.id || String(batch.revision);
    this.waiting.push(...batch.changes);
    this.flush ??= setTimeout(() => this.deliver(), FLUSH_MILLISECONDS);
  }

  /** A ping tells the place in the history too, so that a resume works before the first change. */
  private place({ revision }: { revision?: number }): void {
    if (revision !== undefined && this.waiting.length === 0) this.revision = String(revision);
  }

  private deliver(): void {
    this.flush = undefined;
    const changes = this.waiting;
    this.waiting = [];
    if (changes.length > BURST_MAX) this.handlers.gap(Date.now());
    this.handlers.changes(changes);
  }
}
