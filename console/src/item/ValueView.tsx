/** A value in the form that suits it: text, tags for lists, a small table for records. */
import { useState } from "react";
import type { AttributeDefinition, Value } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Age, Moment } from "../ui/Time.tsx";
import { formatNumber, formatValue } from "../values/format.ts";

/** A long list shows its first values; the rest is one click away. */
const LIST_SHOWN = 12;
/** A text of this length gets the full width. */
const WIDE_CHARACTERS = 90;

export function isWide(value: Value): boolean {
  if (typeof value === "string") return value.length > WIDE_CHARACTERS;
  if (Array.isArray(value)) return value.length > 4 || value.some((one) => typeof one === "object" && one !== null);
  return typeof value === "object" && value !== null && Object.keys(value).length > 3;
}

function ListView({ values }: { values: Value[] }) {
  const [isOpen, setOpen] = useState(false);
  const shown = isOpen ? values : values.slice(0, LIST_SHOWN);
  if (values.length === 0) return <span className="muted">{t("common.none")}</span>;
  return (
    <ul className="values">
      {shown.map((value, index) => (
        // A list may hold the same value twice; its order is its identity.
        <li key={index} className="tag">
          <bdi>{formatValue(value)}</bdi>
        </li>
      ))}
      {values.length > LIST_SHOWN && (
        <li>
          <button type="button" className="button-link" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? t("common.fewer") : t("common.moreValues", { count: values.length - LIST_SHOWN })}
          </button>
        </li>
      )}
    </ul>
  );
}

function RecordView({ record }: { record: { [name: string]: Value } }) {
  return (
    <table className="records">
      <tbody>
        {Object.entries(record).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <bdi>{formatValue(value)}</bdi>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function ValueView({ value, attribute }: { value: Value; attribute: AttributeDefinition }) {
  if (value === null || value === "") return <span className="muted">{t("common.none")}</span>;
  if (Array.isArray(value)) return <ListView values={value} />;
  if (typeof value === "object") return <RecordView record={value} />;
  if (attribute.kind === "time" && typeof value === "string") {
    return (
      <>
        <Moment time={value} />{" "}
        <span className="muted">
          (<Age time={value} />)
        </span>
      </>
    );
  }
  const exact = typeof value === "number" && attribute.unit !== "" ? formatNumber(value) : undefined;
  return <bdi title={exact}>{formatValue(value, attribute)}</bdi>;
}
