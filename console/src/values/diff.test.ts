import { expect, test } from "vitest";
import { listDiff } from "./diff.ts";

test("plain values have no list difference", () => {
  expect(listDiff("a", "b")).toBeNull();
  expect(listDiff(undefined, 3)).toBeNull();
  expect(listDiff("a", ["a"])).toBeNull();
});

test("lists differ as sets with counts", () => {
  expect(listDiff(["a", "b", "b"], ["b", "c"])).toEqual({
    added: ["c"],
    removed: ["a", "b"],
    unchangedCount: 1,
  });
});

test("a list that appears is all added", () => {
  expect(listDiff(undefined, ["a"])).toEqual({ added: ["a"], removed: [], unchangedCount: 0 });
  expect(listDiff(null, ["a"])?.added).toEqual(["a"]);
});

test("records differ by entry", () => {
  expect(listDiff({ x: 1, y: 2 }, { x: 1, y: 3 })).toEqual({
    added: ["y: 3"],
    removed: ["y: 2"],
    unchangedCount: 1,
  });
});
