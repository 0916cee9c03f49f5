/** New items of the shown class since the table was loaded, and the cells that changed a moment ago. */
import { useCallback, useState } from "react";
import type { Change } from "../api/types.ts";
import { useChanges } from "../live/live.ts";

/** A cell flashes for this long. */
const FLASH_MILLISECONDS = 1_800;

export interface Arrivals {
  newCount: number;
  /** `item/attribute` of cells that changed. */
  flashing: ReadonlySet<string>;
  clear: () => void;
}

export function useArrivals(className: string | undefined, isLive: boolean): Arrivals {
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const [flashing, setFlashing] = useState<ReadonlySet<string>>(new Set());
  const hear = useCallback(
    (changes: Change[]) => {
      // A table of the past stands still.
      if (!isLive) return;
      const shown = changes.filter((change) => !className || change.class === className);
      const created = shown.filter(({ kind }) => kind === "created").map(({ item_id }) => item_id);
      if (created.length > 0) setFresh((before) => new Set([...before, ...created]));
      const cells = shown
        .filter(({ kind }) => kind === "attribute_changed" || kind === "state_changed")
        .map(({ item_id, kind, name }) => `${item_id}/${kind === "state_changed" ? "state" : name}`);
      if (cells.length === 0) return;
      setFlashing(new Set(cells));
      setTimeout(() => setFlashing((current) => (current.has(cells[0] ?? "") ? new Set() : current)), FLASH_MILLISECONDS);
    },
    [className, isLive],
  );
  useChanges(hear);
  return { newCount: fresh.size, flashing, clear: () => setFresh(new Set()) };
}
