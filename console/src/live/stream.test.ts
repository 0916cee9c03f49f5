import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Change } from "../api/types.ts";
import { type Handlers, LiveStream } from "./stream.ts";

/** One answer of the server: a status, and the text that it sends before the connection breaks. */
interface Answer {
  status: number;
  text?: string;
  staysOpen?: boolean;
}

const asked: string[] = [];
let answers: Answer[] = [];
let visibility: "visible" | "hidden" = "visible";
let onVisibility: () => void = () => undefined;

function respond(url: string): Promise<Response> {
  asked.push(url);
  const { status, text = "", staysOpen = false } = answers.shift() ?? { status: 503 };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (!staysOpen) controller.close();
    },
  });
  return Promise.resolve(new Response(body, { status }));
}

const change = (revision: number): string =>
  `id: ${revision}\nevent: change\ndata: ${JSON.stringify({ revision, changes: [{ item_id: String(revision) }] })}\n\n`;

function open(handlers: Partial<Handlers> = {}): LiveStream {
  const stream = new LiveStream({
    changes: () => undefined,
    agents: () => undefined,
    gap: () => undefined,
    loggedOut: () => undefined,
    ...handlers,
  });
  stream.start();
  return stream;
}

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  visibility = "visible";
  vi.stubGlobal("fetch", respond);
  vi.stubGlobal("document", {
    baseURI: "http://localhost/",
    get visibilityState() {
      return visibility;
    },
    addEventListener: (_: string, listener: () => void) => {
      onVisibility = listener;
    },
    removeEventListener: () => undefined,
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a broken connection is resumed after the last revision, without a gap", async () => {
  const gap = vi.fn();
  answers = [{ status: 200, text: change(7) }, { status: 200, text: "", staysOpen: true }];
  const stream = open({ gap });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked).toEqual(["/api/v1/events", "/api/v1/events?after=7"]);
  expect(gap).toHaveBeenCalledTimes(1);
  expect(stream.snapshot().status).toBe("live");
  stream.stop();
});

test("a refused resume begins anew, and what was cached is asked again", async () => {
  const gap = vi.fn();
  answers = [{ status: 200, text: change(7) }, { status: 410 }, { status: 200, staysOpen: true }];
  const stream = open({ gap });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toEqual(["/api/v1/events", "/api/v1/events?after=7", "/api/v1/events"]);
  expect(gap).toHaveBeenCalledTimes(2);
  stream.stop();
});

test("changes are delivered together, a quarter of a second after the first", async () => {
  const batches: Change[][] = [];
  answers = [{ status: 200, text: change(7) + change(8) + change(9), staysOpen: true }];
  const stream = open({ changes: (changes) => batches.push(changes) });
  await vi.advanceTimersByTimeAsync(200);
  expect(batches).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(batches.map((batch) => batch.length)).toEqual([3]);
  stream.stop();
});

test("a server that is away is asked less and less often", async () => {
  answers = [];
  const stream = open();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(stream.snapshot().status).toBe("offline");
  expect(asked.length).toBeGreaterThan(4);
  expect(asked.length).toBeLessThan(14);
  stream.stop();
});

test("a hidden page holds no connection, and resumes when it is looked at", async () => {
  answers = [{ status: 200, text: "event: ping\ndata: {\"revision\":41}\n\n", staysOpen: true }, { status: 200, staysOpen: true }];
  const stream = open();
  await vi.advanceTimersByTimeAsync(100);
  visibility = "hidden";
  onVisibility();
  expect(stream.snapshot().status).toBe("paused");
  visibility = "visible";
  onVisibility();
  await vi.advanceTimersByTimeAsync(100);
  expect(asked).toEqual(["/api/v1/events", "/api/v1/events?after=41"]);
  expect(stream.snapshot().status).toBe("live");
  stream.stop();
});

test("the end of the session is told once and not as a broken connection", async () => {
  const loggedOut = vi.fn();
  answers = [{ status: 401 }];
  const stream = open({ loggedOut });
  await vi.advanceTimersByTimeAsync(100);
  expect(loggedOut).toHaveBeenCalledTimes(1);
  stream.stop();
});
