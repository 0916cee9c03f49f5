/** Other items that share evidence with this one: how near they come, and what a person can say about them. */
import { Link } from "@tanstack/react-router";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import type { Wanted } from "../review/Confirm.tsx";
import { reasonLine } from "../review/reasonLine.ts";
import type { Explanation } from "../review/types.ts";

interface RivalsProps {
  found: Explanation;
  isAllowed: boolean;
  onWanted: (wanted: Wanted) => void;
}

export function Rivals({ found, isAllowed, onWanted }: RivalsProps) {
  if (found.rivals.length === 0) return null;
  const want = (what: "join" | "keep_apart", other: string) => onWanted({ what, words: [{ say: what, item: found.item_id, other }] });
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t("why.rivals")}</h2>
        <span className="muted small">{t("why.rivalsHint")}</span>
      </div>
      <div className="table-wrap" tabIndex={0} role="group" aria-label={t("why.rivals")}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t("item.other")}</th>
              <th scope="col" className="number">
                {t("review.bits")}
              </th>
              <th scope="col" className="number">
                {t("why.missing")}
              </th>
              <th scope="col">{t("why.reasons")}</th>
              <th scope="col">
                <span className="visually-hidden">{t("why.decide")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {found.rivals.map(({ item, bits, missing_bits, reasons, is_kept_apart }) => (
              <tr key={item.id}>
                <th scope="row">
                  <Link to={paths.item} params={{ id: item.id }} search={{ tab: "identity" }}>
                    <bdi>{item.title || item.id}</bdi>
                  </Link>
                </th>
                <td className="number">{bits}</td>
                <td className="number">{missing_bits}</td>
                <td className="wrap">
                  {is_kept_apart && <span className="tag">{t("review.kind.kept_apart")}</span>} {reasonLine(reasons)}
                </td>
                <td className="nowrap">
                  <button type="button" className="button" disabled={!isAllowed} aria-label={t("why.joinWith", { title: item.title })} onClick={() => want("join", item.id)}>
                    {t("review.join")}
                  </button>{" "}
                  {!is_kept_apart && (
                    <button type="button" className="button" disabled={!isAllowed} aria-label={t("why.apartFrom", { title: item.title })} onClick={() => want("keep_apart", item.id)}>
                      {t("review.apart")}
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
