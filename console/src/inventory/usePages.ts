/**
 * Pages of a long list by key: only those near the window are held, the tokens of all that were passed are kept.
 *
 * Paging goes forward only, as the API's does: page n can be asked for once page n-1 has told its token. Rows are
 * never skipped and never counted twice, whatever comes and goes meanwhile.
 */
import { useQueries } from "@tanstack/react-query";
import { useRef } from "react";
import type { Params } from "../api/client.ts";
import { PAGE_ROWS, itemsPageQuery } from "../api/queries.ts";
import type { Item } from "../api/types.ts";

export interface Rows {
  /** Rows that the table has room for: all that are known, and those of the page that comes next. */
  count: number;
  /** Rows whose page was loaded at some time. */
  reachedCount: number;
  isComplete: boolean;
  row: (index: number) => Item | undefined;
  error: Error | null;
  isLoading: boolean;
  refetch: () => void;
}

export function usePages(params: Params, near: { from: number; to: number }, total: number | undefined): Rows {
  const tokens = useRef<(string | undefined)[]>([""]);
  const sizes = useRef<number[]>([]);
  const known = tokens.current.length;
  const from = Math.max(0, Math.min(near.from, known - 1));
  const to = Math.max(from, Math.min(near.to, known - 1));
  const wanted = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const pages = useQueries({ queries: wanted.map((page) => itemsPageQuery(params, tokens.current[page] ?? "")) });
  wanted.forEach((page, index) => {
    const data = pages[index]?.data;
    if (!data) return;
    sizes.current[page] = data.items.length;
    if (data.next_page_token) tokens.current[page + 1] = data.next_page_token;
    else tokens.current.length = page + 1;
  });
  const reached = sizes.current.slice(0, tokens.current.length);
  const reachedCount = reached.reduce((sum, size) => sum + size, 0);
  const isComplete = reached.length === tokens.current.length;
  const next = isComplete ? 0 : Math.min(PAGE_ROWS, Math.max(1, (total ?? Infinity) - reachedCount));
  return {
    count: reachedCount + next,
    reachedCount,
    isComplete,
    row: (index) => pages[Math.floor(index / PAGE_ROWS) - from]?.data?.items[index % PAGE_ROWS],
    error: pages.find(({ error }) => error)?.error ?? null,
    isLoading: pages.some(({ isPending }) => isPending),
    refetch: () => {
      tokens.current = [""];
      sizes.current = [];
      for (const page of pages) void page.refetch();
    },
  };
}
