/**
 * The list of pairs: a grid of rows whose focus stays on the grid, as in the inventory.
 *
 * A row is selected by its box or by a key; the current row is told by `aria-activedescendant`.
 */
import { type Ref, useEffect } from "react";
import { useClasses } from "../changes/useClasses.ts";
import { t } from "../messages/index.ts";
import { ClassIcon } from "../ui/Icon.tsx";
import { Age } from "../ui/Time.tsx";
import { type QueueState, pairKey } from "./queue.ts";
import type { PossiblePair } from "./types.ts";

interface QueueListProps {
  pairs: PossiblePair[];
  state: QueueState;
  grid: Ref<HTMLDivElement>;
  onCurrent: (index: number) => void;
  onToggle: (key: string) => void;
}

const rowId = (index: number): string => `pair-${index}`;

function Row({ pair, index, state, onCurrent, onToggle }: Omit<QueueListProps, "pairs" | "grid"> & { pair: PossiblePair; index: number }) {
  const definition = useClasses().get(pair.item.class);
  const isSelected = state.selected.has(pairKey(pair));
  const isCurrent = state.current === index;
  return (
    <div
      id={rowId(index)}
      role="row"
      aria-rowindex={index + 1}
      aria-selected={isSelected}
      className={isCurrent ? "pair-row is-current" : "pair-row"}
      onClick={() => onCurrent(index)}
    >
      <div role="gridcell">
        <input
          type="checkbox"
          tabIndex={-1}
          checked={isSelected}
          aria-label={t("review.select", { item: pair.item.title, other: pair.other.title })}
          onChange={() => onToggle(pairKey(pair))}
        />
      </div>
      <div role="gridcell" className="pair-names">
        <span className="with-icon">
          <ClassIcon name={definition?.icon} />
          <bdi>{pair.item.title || pair.item.id}</bdi>
        </span>
        <bdi>{pair.other.title || pair.other.id}</bdi>
      </div>
      <div role="gridcell" className="pair-notes">
        <span>{t("review.bitsOf", { bits: pair.bits, link: pair.link_at })}</span>
        <span className="muted small">
          <Age time={pair.found_at} />
        </span>
      </div>
    </div>
  );
}

export function QueueList({ pairs, state, grid, onCurrent, onToggle }: QueueListProps) {
  useEffect(() => {
    document.getElementById(rowId(state.current))?.scrollIntoView({ block: "nearest" });
  }, [state.current]);
  return (
    <div
      ref={grid}
      role="grid"
      tabIndex={0}
      className="pair-list"
      aria-label={t("review.list")}
      aria-multiselectable="true"
      aria-rowcount={pairs.length}
      aria-activedescendant={rowId(state.current)}
    >
      {pairs.map((pair, index) => (
        <Row key={pairKey(pair)} pair={pair} index={index} state={state} onCurrent={onCurrent} onToggle={onToggle} />
      ))}
    </div>
  );
}
