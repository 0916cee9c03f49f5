/** What speaks for and against two items being one, strongest first, in words and bits. */
import { t } from "../messages/index.ts";
import { keyName, signed } from "./reasonLine.ts";
import type { Comparison, SideReason } from "./types.ts";

function Values({ values }: { values: string[] }) {
  return (
    <ul className="values">
      {values.map((value) => (
        <li key={value} className="tag">
          <bdi>{value}</bdi>
        </li>
      ))}
    </ul>
  );
}

function Row({ reason }: { reason: SideReason }) {
  return (
    <tr>
      <td className="number">{signed(reason.bits)}</td>
      <th scope="row">{keyName(reason.key_type)}</th>
      {reason.value === null ? (
        <>
          <td className="wrap">
            <Values values={reason.item_values} />
          </td>
          <td className="wrap">
            <Values values={reason.other_values} />
          </td>
        </>
      ) : (
        <td colSpan={2} className="wrap">
          <bdi>{reason.value}</bdi>{" "}
          {reason.frequency > 1 && <span className="muted small">{t("review.shared", { count: reason.frequency })}</span>}
        </td>
      )}
    </tr>
  );
}

interface GroupProps {
  title: string;
  none: string;
  reasons: SideReason[];
  comparison: Comparison;
}

function Group({ title, none, reasons, comparison }: GroupProps) {
  return (
    <section className="panel">
      <div className="panel-head">
        <h3>{title}</h3>
      </div>
      {reasons.length === 0 ? (
        <p className="muted panel-body">{none}</p>
      ) : (
        <div className="table-wrap" tabIndex={0} role="group" aria-label={title}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col" className="number">
                  {t("review.bits")}
                </th>
                <th scope="col">{t("review.key")}</th>
                <th scope="col">{comparison.item.title}</th>
                <th scope="col">{comparison.other.title}</th>
              </tr>
            </thead>
            <tbody>
              {reasons.map((reason) => (
                <Row key={`${reason.key_type} ${reason.value}`} reason={reason} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

export function Reasons({ comparison }: { comparison: Comparison }) {
  const { reasons } = comparison;
  const sorted = reasons.toSorted((one, other) => Math.abs(other.bits) - Math.abs(one.bits));
  return (
    <div className="review-sides">
      <Group title={t("review.for")} none={t("review.forNone")} reasons={sorted.filter(({ bits }) => bits > 0)} comparison={comparison} />
      <Group title={t("review.against")} none={t("review.againstNone")} reasons={sorted.filter(({ bits }) => bits <= 0)} comparison={comparison} />
    </div>
  );
}
