import { expect, test } from "vitest";
import type { AttributeDefinition, ClassDefinition } from "../api/types.ts";
import { tableColumns } from "./columns.ts";

const attribute = (name: string, nature: "fact" | "reading" = "fact"): AttributeDefinition => ({
  name,
  label: name,
  doc: "",
  kind: "text",
  unit: "",
  nature,
});
const definition = (name: string, attributes: AttributeDefinition[]): ClassDefinition => ({
  name,
  label: name,
  plural: name,
  doc: "",
  group: "custom",
  icon: "box",
  title: "name",
  is_part: false,
  identity: [],
  attributes,
});

test("a column that the class does not have is left out", () => {
  const columns = tableColumns(definition("x", [attribute("name"), attribute("rack")]), "rack,nonsense");
  expect(columns.map(({ name }) => name)).toEqual(["rack"]);
});

test("a class without a choice shows its first facts, not the title again", () => {
  const columns = tableColumns(definition("rack", [attribute("name"), attribute("row"), attribute("load", "reading")]), undefined);
  expect(columns.map(({ name }) => name)).toEqual(["row"]);
});

test("a known class shows its chosen attributes in their order", () => {
  const own = definition("user_group", [attribute("members"), attribute("gid"), attribute("name")]);
  expect(tableColumns(own, undefined).map(({ name }) => name)).toEqual(["gid", "members"]);
});
