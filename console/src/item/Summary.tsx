/** What an item is: its facts, its latest readings, its parts, and what nobody looked at. */
import { useQuery } from "@tanstack/react-query";
import { catalogQuery } from "../api/queries.ts";
import type { AttributeDefinition, Item } from "../api/types.ts";
import { t, tOr } from "../messages/index.ts";
import { useAt } from "../past/useAt.ts";
import { Fact } from "./Fact.tsx";
import { Parts } from "./Parts.tsx";
import { Unseen } from "./Unseen.tsx";
import { groupsOf, sectionsOf } from "./sections.ts";

interface SectionProps {
  title: string;
  hint?: string;
  item: Item;
  attributes: AttributeDefinition[];
}

function Section({ title, hint, item, attributes }: SectionProps) {
  if (attributes.length === 0) return null;
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{title}</h2>
        {hint && <span className="muted small">{hint}</span>}
      </div>
      {groupsOf(attributes).map(({ word, attributes: own }) => (
        <div key={word} className="fact-group">
          {word && <h3>{tOr(`word.${word}`, word.charAt(0).toUpperCase() + word.slice(1))}</h3>}
          <dl className="facts">
            {own.map((attribute) => (
              <Fact key={attribute.name} attribute={attribute} values={item.attributes[attribute.name] ?? []} />
            ))}
          </dl>
        </div>
      ))}
    </section>
  );
}

export function Summary({ item }: { item: Item }) {
  const { data: catalog } = useQuery(catalogQuery);
  const definition = catalog?.classes.find(({ name }) => name === item.class);
  const { facts, readings, extra, unseen } = sectionsOf(item, definition);
  const at = useAt();
  return (
    <div className="item-body">
      <div className="item-column">
        <Section title={t("item.facts")} item={item} attributes={facts} />
        <Section title={t("item.readings")} hint={t("item.readingsHint")} item={item} attributes={readings} />
        <Section title={t("item.extra")} hint={t("item.extraHint")} item={item} attributes={extra} />
      </div>
      <div className="item-column">
        <Parts item={item} />
        {/* How completely scopes were seen is known of the present only. */}
        {!at && <Unseen item={item} attributes={unseen} />}
      </div>
    </div>
  );
}
