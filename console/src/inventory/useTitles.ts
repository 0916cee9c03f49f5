/** The titles of a few items, for the column that says what a row is a part of. */
import { useQueries } from "@tanstack/react-query";
import { itemQuery } from "../api/queries.ts";

export function useTitles(ids: (string | null | undefined)[]): Map<string, string> {
  const wanted = [...new Set(ids.filter((id): id is string => typeof id === "string"))];
  return useQueries({
    // A title is as good as the item's page last saw it: a table needs no fresher one.
    queries: wanted.map((id) => ({ ...itemQuery(id), staleTime: Infinity })),
    combine: (found) => new Map(found.flatMap(({ data }) => (data ? [[data.id, data.title] as const] : []))),
  });
}
