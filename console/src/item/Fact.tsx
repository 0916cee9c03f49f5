/** One attribute: label, value, and behind a button where it comes from. */
import { Info } from "lucide-react";
import type { AttributeDefinition, SourceValue } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Popover } from "../ui/Popover.tsx";
import { Provenance } from "./Provenance.tsx";
import { ValueView, isWide } from "./ValueView.tsx";

interface FactProps {
  attribute: AttributeDefinition;
  values: SourceValue[];
}

export function Fact({ attribute, values }: FactProps) {
  const winner = values[0];
  if (!winner) return null;
  const title = t("item.provenance", { label: attribute.label });
  return (
    <div className={isWide(winner.value) ? "fact fact-wide" : "fact"}>
      <dt title={attribute.doc}>{attribute.label}</dt>
      <dd>
        <ValueView value={winner.value} attribute={attribute} />
      </dd>
      <dd>
        <Popover
          label={title}
          className={values.length > 1 ? "button-icon why why-several" : "button-icon why"}
          button={<Info size={13} aria-hidden="true" />}
        >
          {() => <Provenance attribute={attribute} values={values} />}
        </Popover>
      </dd>
    </div>
  );
}
