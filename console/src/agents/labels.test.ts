import { expect, test } from "vitest";
import { parseLabels } from "./labels.ts";

test("a text that is no label is refused whole", () => {
  expect(parseLabels("env=prod, web")).toBeNull();
  expect(parseLabels("=x")).toBeNull();
  expect(parseLabels("env=two words")).toBeNull();
});

test("labels are separated by commas", () => {
  expect(parseLabels(" env=prod,team=web, ")).toEqual({ env: "prod", team: "web" });
  expect(parseLabels("")).toEqual({});
});
