/** Which winning facts of two items differ. Readings differ all the time and say nothing about being one. */
import type { AttributeDefinition, ClassDefinition, Item, Value } from "../api/types.ts";

export interface Differing {
  attribute: AttributeDefinition;
  item: Value | undefined;
  other: Value | undefined;
}

const winner = (item: Item, name: string): Value | undefined => item.attributes[name]?.[0]?.value;

export function differing(definition: ClassDefinition | undefined, item: Item, other: Item): Differing[] {
  const facts = definition?.attributes.filter(({ nature }) => nature === "fact") ?? [];
  return facts
    .map((attribute) => ({ attribute, item: winner(item, attribute.name), other: winner(other, attribute.name) }))
    .filter((each) => JSON.stringify(each.item) !== JSON.stringify(each.other));
}
