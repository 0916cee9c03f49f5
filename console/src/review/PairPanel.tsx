/** One pair side by side: the evidence, what differs, and the two words that can be said. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { itemQuery } from "../api/queries.ts";
import type { NamedItem, Value } from "../api/types.ts";
import { useClasses } from "../changes/useClasses.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Status } from "../ui/Status.tsx";
import { ErrorPanel, Loading } from "../ui/states.tsx";
import { formatValue } from "../values/format.ts";
import { Side } from "./Preview.tsx";
import { Reasons } from "./Reasons.tsx";
import { differing } from "./differing.ts";
import { comparisonQuery } from "./questions.ts";
import type { PossiblePair } from "./types.ts";

function Differences({ pair }: { pair: PossiblePair }) {
  const { data: item } = useQuery(itemQuery(pair.item.id));
  const { data: other } = useQuery(itemQuery(pair.other.id));
  const definition = useClasses().get(pair.item.class);
  if (!item || !other) return null;
  const found = differing(definition, item, other);
  return (
    <section className="panel">
      <div className="panel-head">
        <h3>{t("review.differing")}</h3>
      </div>
      {found.length === 0 ? (
        <p className="muted panel-body">{t("review.nothingDiffers")}</p>
      ) : (
        <div className="table-wrap" tabIndex={0} role="group" aria-label={t("review.differing")}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t("review.attribute")}</th>
                <th scope="col">{pair.item.title}</th>
                <th scope="col">{pair.other.title}</th>
              </tr>
            </thead>
            <tbody>
              {found.map(({ attribute, item: mine, other: theirs }) => {
                const format = (value: Value) => formatValue(value, attribute);
                return (
                  <tr key={attribute.name}>
                    <th scope="row">{attribute.label}</th>
                    <td className="wrap">
                      <Side value={mine} format={format} />
                    </td>
                    <td className="wrap">
                      <Side value={theirs} format={format} />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Name({ item, note }: { item: NamedItem; note: string }) {
  return (
    <p className="review-name">
      <Link to={paths.item} params={{ id: item.id }} search={{ tab: "identity" }}>
        <bdi>{item.title || item.id}</bdi>
      </Link>{" "}
      <Status status={item.state} /> <span className="muted small">{note}</span>
    </p>
  );
}

export function PairPanel({ pair }: { pair: PossiblePair }) {
  const { data, error, refetch } = useQuery(comparisonQuery(pair.item.id, pair.other.id));
  const sightings = (count: number | undefined) => (count === undefined ? "" : t("review.sightings", { count }));
  return (
    <section className="stack" aria-labelledby="review-pair">
      <h2 id="review-pair">{t("review.pair")}</h2>
      <div className="review-sides">
        <Name item={pair.item} note={sightings(data?.item_sightings)} />
        <Name item={pair.other} note={`${sightings(data?.other_sightings)} · ${t("review.older")}`} />
      </div>
      {error && <ErrorPanel error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && (
        <>
          <p>
            <strong>{t("review.sum", { bits: data.bits, link: data.link_at, missing: data.missing_bits })}</strong>{" "}
            <span className="muted small">{t("review.rules", { rules: data.rules })}</span>
          </p>
          <Reasons comparison={data} />
        </>
      )}
      <Differences pair={pair} />
    </section>
  );
}
