/** The one stream of this tab, wired to the caches, and what pages may know of it. */
import { useEffect, useSyncExternalStore } from "react";
import { PAST, queryClient, sessionQuery } from "../api/queries.ts";
import type { Change } from "../api/types.ts";
import { applyChanges } from "./apply.ts";
import { type LiveState, LiveStream } from "./stream.ts";

type Listener = (changes: Change[]) => void;
const listeners = new Set<Listener>();

export const stream = new LiveStream({
  changes: (changes) => {
    applyChanges(queryClient, changes);
    for (const listener of listeners) listener(changes);
  },
  agents: () => {
    void queryClient.invalidateQueries({ queryKey: ["agents"] });
    void queryClient.invalidateQueries({ queryKey: ["counts"] });
  },
  gap: (before) =>
    void queryClient.invalidateQueries({
      predicate: ({ queryKey: [root], state }) =>
        root !== "session" && root !== "classes" && root !== PAST && state.dataUpdatedAt < before,
    }),
  loggedOut: () => void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey }),
});

export function useLive(): LiveState {
  return useSyncExternalStore(stream.subscribe, stream.snapshot);
}

/** Calls `listener` with every batch of changes while the component is on screen. It must be stable. */
export function useChanges(listener: Listener): void {
  useEffect(() => {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, [listener]);
}
