import { expect, test } from "vitest";
import type { ClassDefinition, Item, Value } from "../api/types.ts";
import { differing } from "./differing.ts";

const definition = {
  attributes: [
    { name: "fqdn", label: "Name", doc: "", kind: "text", unit: "", nature: "fact" },
    { name: "labels", label: "Labels", doc: "", kind: "text_list", unit: "", nature: "fact" },
    { name: "load", label: "Load", doc: "", kind: "float", unit: "", nature: "reading" },
  ],
} as unknown as ClassDefinition;

const item = (values: { [name: string]: Value }): Item =>
  ({ attributes: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [{ value }]])) }) as unknown as Item;

test("equal facts and all readings are left out", () => {
  const found = differing(definition, item({ fqdn: "a", labels: ["x"], load: 1 }), item({ fqdn: "a", labels: ["x"], load: 2 }));
  expect(found).toEqual([]);
});

test("what one has none of and what one was not looked at for are told apart", () => {
  const [found] = differing(definition, item({ fqdn: null }), item({}));
  expect([found?.attribute.name, found?.item, found?.other]).toEqual(["fqdn", null, undefined]);
});
