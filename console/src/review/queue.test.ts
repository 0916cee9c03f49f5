import { expect, test } from "vitest";
import { SELECTED_MAX, chosen, moved, queueKey, refusals, toggled, wayBack, wordFor } from "./queue.ts";
import type { PossiblePair } from "./types.ts";

const named = (id: string) => ({ id, class: "host", title: id, state: "active" as const });
const pair = (item: string, other: string): PossiblePair => ({
  item: named(item),
  other: named(other),
  bits: 18,
  link_at: 24,
  missing_bits: 6,
  found_at: "2026-01-01T00:00:00Z",
});
const pairs = [pair("b", "a"), pair("d", "c"), pair("f", "e")];

test("letters mean nothing to whoever turned single keys off, arrows still do", () => {
  expect(queueKey("m", false)).toBeNull();
  expect(queueKey("m", true)).toBe("join");
  expect(queueKey("ArrowDown", false)).toBe("next");
  expect(queueKey("q", true)).toBeNull();
});

test("a step never leaves the queue, however short it became", () => {
  expect(moved(0, 3, "previous")).toBe(0);
  expect(moved(2, 3, "next")).toBe(2);
  expect(moved(7, 3, "select")).toBe(2);
  expect(moved(0, 0, "next")).toBe(0);
  expect(moved(0, 3, "last")).toBe(2);
});

test("a word is about the selected pairs, without any about the current one", () => {
  expect(chosen(pairs, { current: 1, selected: new Set() })).toEqual([pairs[1]]);
  expect(chosen(pairs, { current: 1, selected: new Set(["f e", "b a"]) })).toEqual([pairs[0], pairs[2]]);
});

test("a selected pair that is settled meanwhile is not decided", () => {
  expect(chosen(pairs, { current: 0, selected: new Set(["z y"]) })).toEqual([pairs[0]]);
  expect(chosen([], { current: 0, selected: new Set(["f e"]) })).toEqual([]);
});

test("no more are selected than can be decided at once", () => {
  let selected: ReadonlySet<string> = new Set();
  for (let index = 0; index < SELECTED_MAX + 5; index += 1) selected = toggled(selected, String(index));
  expect(selected.size).toBe(SELECTED_MAX);
  expect(toggled(selected, "0").has("0")).toBe(false);
});

test("the way back takes back what was taken, the last first, and nothing that was refused", () => {
  const results = [
    { action: 4, code: null, detail: null },
    { action: null, code: "NOT_FOUND", detail: "there is no such item" },
    { action: 5, code: null, detail: null },
  ];
  expect(wayBack(results)).toEqual([
    { say: "take_back", action: 5 },
    { say: "take_back", action: 4 },
  ]);
  expect(refusals(results)).toEqual(["there is no such item"]);
});

test("a word names the items by id", () => {
  expect(wordFor("keep_apart", pair("b", "a"))).toEqual({ say: "keep_apart", item: "b", other: "a" });
});
