/** What the review page asks and says. Everything below `review` is asked anew after each word. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { ask } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import type { HeldRetirementPage } from "../api/types.ts";
import type { Comparison, Decided, Explanation, HeldItemPage, Permission, PossiblePage, Simulation, Word, WordResult } from "./types.ts";

/** Pairs of one page of the queue. */
const QUEUE_ROWS = 100;

const id = encodeURIComponent;

export const queueQuery = (className: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ["review", "queue", className ?? ""],
    queryFn: ({ pageParam, signal }) =>
      ask<PossiblePage>("api/v1/identity/possible", {
        params: { class: className, page_size: QUEUE_ROWS, page_token: pageParam },
        signal,
      }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });

export const comparisonQuery = (item: string, other: string) =>
  queryOptions({
    queryKey: ["review", "comparison", item, other],
    queryFn: ({ signal }) => ask<Comparison>("api/v1/identity/comparison", { params: { item, other }, signal }),
  });

export const simulationQuery = (word: Word) =>
  queryOptions({
    queryKey: ["review", "simulation", word],
    queryFn: ({ signal }) => ask<Simulation>("api/v1/identity/simulate", { method: "POST", body: word, signal }),
    // What would follow is shown before it is done: never from yesterday.
    staleTime: 0,
    gcTime: 0,
  });

export const decisionsQuery = queryOptions({
  queryKey: ["review", "decisions"],
  queryFn: ({ signal }) => ask<{ decisions: Decided[] }>("api/v1/identity/decisions", { signal }),
});

export const heldQuery = infiniteQueryOptions({
  queryKey: ["review", "held"],
  queryFn: ({ pageParam, signal }) =>
    ask<HeldRetirementPage>("api/v1/held-retirements", { params: { page_size: 100, page_token: pageParam }, signal }),
  initialPageParam: "",
  getNextPageParam: (page) => page.next_page_token || undefined,
});

export const heldItemsQuery = (held: string) =>
  infiniteQueryOptions({
    queryKey: ["review", "held", held],
    queryFn: ({ pageParam, signal }) =>
      ask<HeldItemPage>(`api/v1/held-retirements/${id(held)}/items`, { params: { page_size: 100, page_token: pageParam }, signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_page_token || undefined,
  });

export const explanationQuery = (item: string) =>
  queryOptions({
    queryKey: ["explanation", item],
    queryFn: ({ signal }) => ask<Explanation>(`api/v1/items/${id(item)}/explanation`, { signal }),
  });

export const permissionsQuery = queryOptions({
  queryKey: ["can", "review"],
  queryFn: ({ signal }) =>
    ask<{ actions: Permission[] }>("api/v1/can", { params: { action: "identity_decide,retirements_decide" }, signal }),
});

/** Everything that a word can have changed. */
async function askAnew(): Promise<void> {
  await Promise.all(
    ["review", "explanation", "item", "duplicates", "agents"].map((root) => queryClient.invalidateQueries({ queryKey: [root] })),
  );
}

export async function say(words: Word[]): Promise<WordResult[]> {
  const { results } = await ask<{ results: WordResult[] }>("api/v1/identity/words", { method: "POST", body: { words } });
  await askAnew();
  return results;
}

export async function settleHeld(held: string, verdict: "approve" | "dismiss"): Promise<number> {
  const answer = await ask<{ retired: number } | null>(`api/v1/held-retirements/${id(held)}/${verdict}`, { method: "POST", body: {} });
  await askAnew();
  return answer?.retired ?? 0;
}
