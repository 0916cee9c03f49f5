import { expect, test } from "vitest";
import type { ClassDefinition, Item, Value } from "../api/types.ts";
import { groupsOf, sectionsOf } from "./sections.ts";

const said = (value: Value) => [
  { value, source: { collector: "host", target: "a" }, since: "", confirmed_at: "", confidence: 90 },
];
const definition = {
  attributes: ["vendor", "serial_number", "asset_tag"].map((name) => ({
    name,
    label: name,
    doc: "",
    kind: "text",
    unit: "",
    nature: "fact",
  })),
} as unknown as ClassDefinition;
const item = { attributes: { vendor: said("ACME"), asset_tag: said(null), novel: said(1) } } as unknown as Item;

test("none is a fact, and not looked at is none", () => {
  const sections = sectionsOf(item, definition);
  expect(sections.facts.map(({ name }) => name)).toEqual(["vendor", "asset_tag"]);
  expect(sections.unseen.map(({ name }) => name)).toEqual(["serial_number"]);
});

test("what a newer agent says is shown raw", () => {
  expect(sectionsOf(item, definition).extra.map(({ name }) => name)).toEqual(["novel"]);
  expect(sectionsOf(item, undefined).extra).toHaveLength(3);
});

test("attributes with a common first word stand together, two of them do not", () => {
  const list = ["fqdn", "os_name", "os_id", "swap_bytes", "os_version", "swap_used", "is_a", "is_b", "is_c"];
  const attributes = list.map((name) => ({ ...(definition.attributes[0] as NonNullable<(typeof definition.attributes)[0]>), name }));
  expect(groupsOf(attributes).map(({ word, attributes: own }) => [word, own.map(({ name }) => name).join(" ")])).toEqual([
    ["", "fqdn swap_bytes swap_used is_a is_b is_c"],
    ["os", "os_name os_id os_version"],
  ]);
});
