/**
 * What a batch of changes does to the caches: shown rows are patched in place, the rest is asked anew.
 *
 * Rows never appear or vanish by themselves: a new item only raises the count, and the table offers to show it.
 */
import type { QueryClient } from "@tanstack/react-query";
import type { Change, Item, ItemPage, ItemState, SourceValue } from "../api/types.ts";

/** Questions about one item as it is now, whose id stands second in their keys. */
const OF_ITEM: ReadonlySet<string> = new Set(["item", "relations", "scopes", "duplicates", "moments", "difference", "explanation"]);

function patchedValue(item: Item, change: Change): Item {
  const before = item.attributes[change.name] ?? [];
  const attributes = { ...item.attributes };
  if (change.after === undefined) delete attributes[change.name];
  else {
    const winner: SourceValue = {
      value: change.after,
      source: change.source,
      since: change.observed_at,
      confirmed_at: change.observed_at,
      confidence: before[0]?.confidence ?? 0,
    };
    attributes[change.name] = [winner, ...before.slice(1)];
  }
  return { ...item, attributes, revision: change.revision, last_seen: change.observed_at };
}

/** The item after one change; a change that is older than the item leaves it as it is. */
export function patchItem(item: Item, change: Change): Item {
  if (change.item_id !== item.id || change.revision < item.revision) return item;
  if (change.kind === "attribute_changed") return patchedValue(item, change);
  if (change.kind === "state_changed") {
    return { ...item, state: change.after as ItemState, revision: change.revision };
  }
  return item;
}

function patchPage(page: ItemPage | undefined, changes: Map<string, Change[]>): ItemPage | undefined {
  if (!page?.items.some((item) => changes.has(item.id))) return page;
  const items = page.items.map((item) => (changes.get(item.id) ?? []).reduce(patchItem, item));
  return { ...page, items };
}

export function applyChanges(client: QueryClient, changes: Change[]): void {
  const byItem = Map.groupBy(changes, (change) => change.item_id);
  client.setQueriesData<ItemPage>({ queryKey: ["items"] }, (page) => patchPage(page, byItem));
  const touched = new Set(changes.flatMap((change) => [change.item_id, change.other_id ?? ""]));
  const isTouched = ([root, id, item]: readonly unknown[]) =>
    (OF_ITEM.has(String(root)) && touched.has(String(id))) ||
    (root === "changes" && id === "item" && touched.has(String(item)));
  void client.invalidateQueries({ predicate: ({ queryKey }) => isTouched(queryKey) });
  // What waits for a person follows from who was merged, divided, seen for the first time or let go.
  if (changes.some(({ kind }) => kind === "merged" || kind === "split" || kind === "created" || kind === "state_changed")) {
    void client.invalidateQueries({ queryKey: ["review"] });
  }
  if (changes.some(({ kind }) => kind === "created" || kind === "state_changed")) {
    void client.invalidateQueries({ queryKey: ["counts"] });
  }
}
