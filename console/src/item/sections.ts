/** Divides the attributes of an item: known facts, readings, what a newer agent said, what nobody looked at. */
import type { AttributeDefinition, ClassDefinition, Item } from "../api/types.ts";

export interface Sections {
  facts: AttributeDefinition[];
  readings: AttributeDefinition[];
  /** Attributes that the catalog does not know: shown raw, never dropped. */
  extra: AttributeDefinition[];
  /** Declared, but without a value from anyone. Not the same as none, which has the value `null`. */
  unseen: AttributeDefinition[];
}

export function sectionsOf(item: Item, definition: ClassDefinition | undefined): Sections {
  const declared = definition?.attributes ?? [];
  const isSaid = ({ name }: AttributeDefinition) => (item.attributes[name] ?? []).length > 0;
  const said = declared.filter(isSaid);
  const names = new Set(declared.map(({ name }) => name));
  const extra = Object.keys(item.attributes)
    .filter((name) => !names.has(name))
    .map((name): AttributeDefinition => ({ name, label: name, doc: "", kind: "text", unit: "", nature: "fact" }));
  return {
    facts: said.filter(({ nature }) => nature === "fact"),
    readings: said.filter(({ nature }) => nature === "reading"),
    extra,
    unseen: declared.filter((attribute) => !isSaid(attribute)),
  };
}

/** A group of attributes that belong together by the first word of their names: `os_name`, `os_version`, … */
export interface Group {
  /** The word; empty for those that stand alone. */
  word: string;
  attributes: AttributeDefinition[];
}

/** Fewer than this are no group: a heading over two lines tells nothing. */
const GROUP_MIN = 3;

/** Divides attributes by their first word, the single ones first; the order of the catalog is kept within. */
export function groupsOf(attributes: AttributeDefinition[]): Group[] {
  const wordOf = ({ name }: AttributeDefinition) => name.slice(0, Math.max(0, name.indexOf("_")));
  const sizes = new Map<string, number>();
  for (const attribute of attributes) sizes.set(wordOf(attribute), (sizes.get(wordOf(attribute)) ?? 0) + 1);
  const groups = new Map<string, AttributeDefinition[]>([["", []]]);
  for (const attribute of attributes) {
    const own = wordOf(attribute);
    const word = (sizes.get(own) ?? 0) >= GROUP_MIN && own !== "is" && own !== "may" ? own : "";
    groups.set(word, [...(groups.get(word) ?? []), attribute]);
  }
  return [...groups].map(([word, list]) => ({ word, attributes: list })).filter((group) => group.attributes.length > 0);
}
