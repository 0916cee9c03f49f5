/** Why an item is what it is: its sightings, the evidence between them, its rivals; and dividing it. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Item } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { Confirm, type Wanted } from "../review/Confirm.tsx";
import { reasonLine } from "../review/reasonLine.ts";
import { Toast } from "../review/Toast.tsx";
import { explanationQuery } from "../review/questions.ts";
import type { Explanation } from "../review/types.ts";
import { useDone } from "../review/useDone.ts";
import { usePermission } from "../review/usePermission.ts";
import { ErrorPanel, Loading } from "../ui/states.tsx";
import { Rivals } from "./Rivals.tsx";
import { Sightings } from "./Sightings.tsx";

function Between({ found }: { found: Explanation }) {
  if (found.pairs.length === 0) return null;
  const place = (sighting: string) => found.sightings.findIndex((each) => each.sighting === sighting) + 1;
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t("why.between")}</h2>
        <span className="muted small">{t("why.linkAt", { link: found.link_at })}</span>
      </div>
      <div className="table-wrap" tabIndex={0} role="group" aria-label={t("why.between")}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t("why.pair")}</th>
              <th scope="col" className="number">
                {t("review.bits")}
              </th>
              <th scope="col">{t("why.reasons")}</th>
            </tr>
          </thead>
          <tbody>
            {found.pairs.map(({ one, other, bits, reasons, is_joined }) => (
              <tr key={`${one} ${other}`}>
                <th scope="row">{t("why.pairOf", { one: place(one), other: place(other) })}</th>
                <td className="number">{bits}</td>
                <td className="wrap">
                  {is_joined && <span className="tag">{t("review.kind.joined")}</span>} {reasonLine(reasons)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function Why({ item }: { item: Item }) {
  const { data, error, refetch } = useQuery(explanationQuery(item.id));
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const last = useDone();
  const { isAllowed, reason } = usePermission("identity_decide");
  if (error) return <ErrorPanel error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  const sightings = data.sightings.map(({ sighting }) => sighting).filter((each) => selected.has(each));
  const canDivide = item.parent_id === null && sightings.length > 0 && sightings.length < data.sightings.length + data.sightings_left_out;
  return (
    <div className="item-column">
      <p className="muted">
        {t(item.parent_id === null ? "why.lead" : "why.part")} {t("review.rules", { rules: data.rules })}
      </p>
      <Sightings found={data} selected={selected} onSelected={setSelected}>
        <button
          type="button"
          className="button"
          disabled={!isAllowed || !canDivide}
          title={reason ?? (canDivide ? undefined : t("why.divideHint"))}
          onClick={() => setWanted({ what: "divide", words: [{ say: "divide", item: item.id, sightings }] })}
        >
          {t("review.divide")}
        </button>
        <span className="muted small">{reason ?? t("why.divideHint")}</span>
      </Sightings>
      <Between found={data} />
      <Rivals found={data} onWanted={setWanted} isAllowed={isAllowed} />
      {wanted && (
        <Confirm
          wanted={wanted}
          onClose={() => setWanted(null)}
          onDone={({ what }, results) => {
            const texts = { join: "review.joined", keep_apart: "review.keptApart", divide: "review.divided" } as const;
            last.setDone({ text: t(texts[what], { count: results.filter(({ code }) => code === null).length }), results });
            setSelected(new Set());
          }}
        />
      )}
      <Toast last={last} />
    </div>
  );
}
