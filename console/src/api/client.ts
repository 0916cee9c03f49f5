/**
 * One typed fetch for the whole console: same origin, session cookie, CSRF header on every mutation, problems as errors.
 *
 * It keeps nothing; caching is the business of TanStack Query (`queries.ts`).
 */
import type { Problem } from "./types.ts";

/** Longest wait for an answer; the server's own limit for a question is shorter. */
const TIMEOUT_MILLISECONDS = 30_000;

/** Where the console lives, with a trailing slash: `/`, or the prefix of a proxy. */
export function basePath(): string {
  return new URL(document.baseURI).pathname;
}

/** An answer that is not a success, or none at all. */
export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.problem = problem;
  }
  get status(): number {
    return this.problem.status;
  }
}

/** Values of a query string; empty and undefined ones are left out. */
export type Params = { [name: string]: string | number | undefined };

export function queryString(params: Params): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== "") search.append(name, String(value));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

interface Request {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  params?: Params;
  body?: unknown;
  signal?: AbortSignal;
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "title" in value && "status" in value;
}

async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null);
  if (isProblem(body)) return body;
  const title = response.statusText || `HTTP ${response.status}`;
  return { type: "about:blank", title, status: response.status, detail: "", code: "" };
}

function unreachable(): Problem {
  return { type: "about:blank", title: "", status: 0, detail: "", code: "UNREACHABLE" };
}

/** Asks the control plane; `path` begins with `api/…`. */
export async function ask<T>(path: string, request: Request = {}): Promise<T> {
  const { method = "GET", params = {}, body, signal } = request;
  const headers: Record<string, string> = { accept: "application/json" };
  if (method !== "GET") headers["x-dharma-csrf"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  const timeout = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  let response: Response;
  try {
    response = await fetch(basePath() + path + queryString(params), {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: "same-origin",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(unreachable());
  }
  if (!response.ok) throw new ApiError(await problemOf(response));
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as T;
}
