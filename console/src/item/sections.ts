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
