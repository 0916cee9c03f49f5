import { expect, test } from "vitest";
import type { Change, Item } from "../api/types.ts";
import { patchItem } from "./apply.ts";

const source = { collector: "host", target: "a" };
const item: Item = {
  id: "1",
  class: "host",
  title: "db1",
  parent_id: null,
  state: "active",
  first_seen: "2026-01-01T00:00:00.000Z",
  last_seen: "2026-01-01T00:00:00.000Z",
  revision: 5,
  attributes: {
    kernel_release: [
      { value: "6.1", source, since: "", confirmed_at: "", confidence: 90 },
      { value: "6.0", source: { collector: "ssh", target: "b" }, since: "", confirmed_at: "", confidence: 50 },
    ],
  },
};
const change: Change = {
  revision: 6,
  index: 0,
  item_id: "1",
  class: "host",
  title: "db1",
  observed_at: "2026-01-02T00:00:00.000Z",
  recorded_at: "2026-01-02T00:00:00.000Z",
  source,
  kind: "attribute_changed",
  name: "kernel_release",
  before: "6.1",
  after: "6.2",
};

test("a change older than the row leaves it as it is", () => {
  expect(patchItem(item, { ...change, revision: 4 })).toBe(item);
});

test("a change of another item leaves it as it is", () => {
  expect(patchItem(item, { ...change, item_id: "2" })).toBe(item);
});

test("a changed fact replaces the winner and keeps the losing values", () => {
  const patched = patchItem(item, change);
  expect(patched.attributes["kernel_release"]?.map(({ value }) => value)).toEqual(["6.2", "6.0"]);
  expect(patched.revision).toBe(6);
});

test("a fact that nobody says any longer is gone, not null", () => {
  const { after: _, ...gone } = change;
  expect("kernel_release" in patchItem(item, gone).attributes).toBe(false);
});

test("a change of state is shown", () => {
  expect(patchItem(item, { ...change, kind: "state_changed", after: "missing" }).state).toBe("missing");
});
