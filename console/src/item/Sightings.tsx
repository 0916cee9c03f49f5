/** The sightings of an item with the keys that it is recognized by; some of them can be selected to divide it. */
import type { ReactNode } from "react";
import { t } from "../messages/index.ts";
import { keyName } from "../review/reasonLine.ts";
import type { Explanation, Sighting } from "../review/types.ts";
import { Status } from "../ui/Status.tsx";
import { SourceName } from "./Provenance.tsx";

interface SightingsProps {
  found: Explanation;
  selected: ReadonlySet<string>;
  onSelected: (selected: ReadonlySet<string>) => void;
  /** What can be done with the selected ones. */
  children: ReactNode;
}

function Row({ sighting, place, isSelected, onToggle }: { sighting: Sighting; place: number; isSelected: boolean; onToggle: () => void }) {
  return (
    <tr>
      <td>
        <label className="with-icon">
          <input type="checkbox" checked={isSelected} onChange={onToggle} aria-label={t("why.select", { place })} />
          {place}
        </label>
      </td>
      <td className="small">
        <SourceName source={sighting.source} />
      </td>
      <td className="wrap">
        <bdi>{sighting.native_key}</bdi>
      </td>
      <td>
        <Status status={sighting.is_present ? "active" : "missing"} />
      </td>
      <td className="wrap">
        <ul className="values">
          {sighting.keys.map(({ key_type, realm, value }) => (
            <li key={`${key_type} ${realm} ${value}`} className="tag">
              {keyName(key_type)} <bdi>{value}</bdi>
            </li>
          ))}
        </ul>
      </td>
    </tr>
  );
}

export function Sightings({ found, selected, onSelected, children }: SightingsProps) {
  const toggle = (sighting: string) => {
    const next = new Set(selected);
    if (!next.delete(sighting)) next.add(sighting);
    onSelected(next);
  };
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{t("why.sightings")}</h2>
        <span className="muted small">{t("review.sightings", { count: found.sightings.length + found.sightings_left_out })}</span>
      </div>
      <div className="table-wrap" tabIndex={0} role="group" aria-label={t("why.sightings")}>
        <table className="table">
          <thead>
            <tr>
              {[t("why.number"), t("item.source"), t("why.nativeKey"), t("inventory.state"), t("why.keys")].map((label) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.sightings.map((sighting, index) => (
              <Row
                key={sighting.sighting}
                sighting={sighting}
                place={index + 1}
                isSelected={selected.has(sighting.sighting)}
                onToggle={() => toggle(sighting.sighting)}
              />
            ))}
          </tbody>
        </table>
      </div>
      {found.sightings_left_out > 0 && <p className="muted small panel-body">{t("why.leftOut", { count: found.sightings_left_out })}</p>}
      <div className="form-row panel-body">{children}</div>
    </section>
  );
}
