import { expect, test } from "vitest";
import { coverageLine, lines, pairs, progressLine, unpaired, words } from "./text.ts";

test("a pasted file of addresses may have comments, commas and blank lines", () => {
  expect(words("# all\n192.0.2.1, 192.0.2.2\t192.0.2.3 # three\n\n")).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  expect(words("")).toEqual([]);
});

test("a window keeps its blank", () => {
  expect(lines(" mon-fri 22:00-06:00 \n\n")).toEqual(["mon-fri 22:00-06:00"]);
});

test("a value may hold an equals sign, and what is read is what was written", () => {
  const read = pairs("user=ops\nfilter=a=b\nbare");
  expect(read).toEqual({ user: "ops", filter: "a=b", bare: "" });
  expect(pairs(unpaired(read))).toEqual(read);
});

test("a name that every object has is a name like any other", () => {
  expect(pairs("constructor=x")).toEqual({ constructor: "x" });
});

test("only what there is stands in the line of coverage", () => {
  expect(coverageLine({ complete: 3, partial: 0, not_yet: 1 })).toMatch(/^3 .+, 1 .+$/);
  expect(coverageLine({})).toBe("");
});

test("progress without a known end shows no end", () => {
  const target = { id: "", address: "", agent_id: null, state: "running", looked_at: null, status: null, detail: "", seen_count: 0, credential: null, next_look: null, at: "ports", done: 5, total: null };
  expect(progressLine(target)).toBe("ports 5");
  expect(progressLine({ ...target, total: 9 })).toBe("ports 5/9");
  expect(progressLine({ ...target, at: "" })).toBe("");
});
