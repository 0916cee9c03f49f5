/**
 * Every question that the console asks, with its cache key: the only server cache is TanStack Query's.
 *
 * Freshness comes from the event stream (`live/`), so nothing here polls except the steps of an agent that joins.
 */
import {
  MutationCache,
  QueryCache,
  QueryClient, 
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
} from "@tanstack/react-query";
import { ApiError, type Params, ask } from "./client.ts";
import type {
  Agent,
  AgentPage,
  Catalog,
  ChangePage,
  Counts,
  DifferencePage,
  HeldRetirementPage,
  HistoryExtent,
  Item,
  ItemMoments,
  ItemPage,
  MintedToken,
  Onboarding,
  PossibleDuplicatePage,
  RelationPage,
  Scope,
  Session,
  TokenPage,
  TokenRequest,
} from "./types.ts";

/** Rows of one page of items; the API refuses more than 500. */
export const PAGE_ROWS = 200;
/** Pages of a table that scrolled out of view are forgotten after this time; their tokens are kept. */
const PAGE_MEMORY_MILLISECONDS = 60_000;
/** While a machine joins, its steps are asked for this often. */
const STEP_MILLISECONDS = 1_000;

/** An answer of 401 ends the session for the whole console: the shell asks who is logged in, and leads to the login. */
function forgetSession(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) {
    void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
  }
}

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: forgetSession }),
  mutationCache: new MutationCache({
    onError: (error, _variables, _result, mutation) => {
      // A refused login is an answer to the form, not the end of a session.
      if (mutation.options.mutationKey?.[0] !== "login") forgetSession(error);
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      // A client error will not mend itself; a silent network may.
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400),
    },
  },
});

const id = encodeURIComponent;

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => ask<Session>("api/v1/session", { signal }),
  staleTime: Infinity,
});

export const catalogQuery = queryOptions({
  queryKey: ["classes"],
  queryFn: ({ signal }) => ask<Catalog>("api/v1/classes", { signal }),
  staleTime: Infinity,
});

/** What is asked of the past does not change any more: it has keys of its own, which the stream of changes leaves alone. */
export const PAST = "past";

const keyAt = (at: string | undefined, ...key: readonly unknown[]): readonly unknown[] => (at ? [PAST, ...key, at] : key);

export const countsQuery = (params: Params = {}) =>
  queryOptions({
    queryKey: params["at"] ? [PAST, "counts", params] : ["counts", params],
    queryFn: ({ signal }) => ask<Counts>("api/v1/counts", { params, signal }),
    placeholderData: keepPreviousData,
  });

export const itemsPageQuery = (params: Params, token: string) =>
  queryOptions({
    queryKey: params["at"] ? [PAST, "items", params, token] : ["items", params, token],
    queryFn: ({ signal }) =>
      ask<ItemPage>("api/v1/items", {
        params: { ...params, page_size: PAGE_ROWS, page_token: token },
        signal,
      }),
    gcTime: PAGE_MEMORY_MILLISECONDS,
  });

export const itemSearchQuery = (text: string) =>
  queryOptions({
    queryKey: ["item-search", text],
    queryFn: ({ signal }) =>
      ask<ItemPage>("api/v1/items", { params: { text, page_size: 12 }, signal }),
    enabled: text.length > 1,
    placeholderData: keepPreviousData,
  });

export const itemQuery = (item: string, at?: string) =>
  queryOptions({
    queryKey: keyAt(at, "item", item),
    queryFn: ({ signal }) => ask<Item>(`api/v1/items/${id(item)}`, { params: { at }, signal }),
  });

/** The changes around a moment, for stepping from one to the next. */
export const momentsQuery = (item: string, at?: string) =>
  queryOptions({
    queryKey: keyAt(at, "moments", item),
    queryFn: ({ signal }) => ask<ItemMoments>(`api/v1/items/${id(item)}/moments`, { params: { at }, signal }),
  });

/** What differs of an item between two moments; without the later one, until now. */
export const itemDifferenceQuery = (item: string, from: string, to?: string) =>
  queryOptions({
    queryKey: keyAt(to, "difference", item, from),
    queryFn: ({ signal }) => ask<DifferencePage>("api/v1/diff", { params: { item, from, to }, signal }),
  });

export const historyQuery = queryOptions({
  queryKey: ["history"],
  queryFn: ({ signal }) => ask<HistoryExtent>("api/v1/history", { signal }),
});

/** Relationships of an item by these verbs, read from either end. */
export const relationsQuery = (item: string, verbs: string[], at?: string) =>
  infiniteQueryOptions({
    queryKey: keyAt(at, "relations", item, verbs),
    queryFn: ({ pageParam, signal }) =>
      ask<RelationPage>(`api/v1/items/${id(item)}/relations`, {
        params: { verb: verbs.join(","), at, page_size: 200, page_token: pageParam },
        signal,
      }),
    enabled: verbs.length > 0,
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });

export const scopesQuery = (item: string) =>
  queryOptions({
    queryKey: ["scopes", item],
    queryFn: ({ signal }) => ask<{ scopes: Scope[] }>(`api/v1/items/${id(item)}/scopes`, { signal }),
  });

/** Findings shown on one page; the API says when there are more. */
const FINDING_ROWS = 20;

export const possibleDuplicatesQuery = (item: string) =>
  queryOptions({
    queryKey: ["duplicates", item],
    queryFn: ({ signal }) =>
      ask<PossibleDuplicatePage>("api/v1/possible-duplicates", {
        params: { item, page_size: FINDING_ROWS },
        signal,
      }),
  });

/** Below `agents`, so that it is asked anew whenever an agent reports a change of its own. */
export const heldRetirementsQuery = (agent: string) =>
  queryOptions({
    queryKey: ["agents", agent, "held"],
    queryFn: ({ signal }) =>
      ask<HeldRetirementPage>("api/v1/held-retirements", {
        params: { agent, page_size: FINDING_ROWS },
        signal,
      }),
  });

const changePages = (key: readonly unknown[], path: string, params: Params) =>
  infiniteQueryOptions({
    queryKey: ["changes", ...key, params],
    queryFn: ({ pageParam, signal }) =>
      ask<ChangePage>(path, { params: { ...params, page_size: 100, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });

export const changesQuery = (params: Params) => changePages(["all"], "api/v1/changes", params);

export const itemChangesQuery = (item: string, withParts: boolean) =>
  changePages(["item", item], `api/v1/items/${id(item)}/changes`, {
    with_parts: withParts ? "true" : "",
  });

export const agentsQuery = infiniteQueryOptions({
  queryKey: ["agents", ""],
  queryFn: ({ pageParam, signal }) =>
    ask<AgentPage>("api/v1/agents", { params: { page_size: 100, page_token: pageParam }, signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.next_page_token || undefined,
});

export const agentQuery = (agent: string) =>
  queryOptions({
    queryKey: ["agents", agent],
    queryFn: ({ signal }) => ask<Agent>(`api/v1/agents/${id(agent)}`, { signal }),
  });

export const tokensQuery = infiniteQueryOptions({
  queryKey: ["tokens"],
  queryFn: ({ pageParam, signal }) =>
    ask<TokenPage>("api/v1/tokens", { params: { page_size: 100, page_token: pageParam }, signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.next_page_token || undefined,
});

export const onboardingQuery = (token: string) =>
  queryOptions({
    queryKey: ["onboarding", token],
    queryFn: ({ signal }) => ask<Onboarding>(`api/v1/onboarding/${id(token)}`, { signal }),
    refetchInterval: (query) =>
      query.state.data?.steps.every((step) => step.state === "done") ? false : STEP_MILLISECONDS,
  });

export const mutations = {
  setup: (body: { code: string; name: string; password: string }) =>
    ask<unknown>("api/v1/setup", { method: "POST", body }),
  login: (body: { name: string; password: string }) =>
    ask<unknown>("api/v1/login", { method: "POST", body }),
  logout: () => ask<unknown>("api/v1/logout", { method: "POST", body: {} }),
  revokeAgent: (agent: string) => ask<unknown>(`api/v1/agents/${id(agent)}`, { method: "DELETE" }),
  mintToken: (body: TokenRequest) => ask<MintedToken>("api/v1/tokens", { method: "POST", body }),
  revokeToken: (token: string) => ask<unknown>(`api/v1/tokens/${id(token)}`, { method: "DELETE" }),
};
