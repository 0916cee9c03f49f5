/**
 * The one table of items: an ARIA grid whose rows are windowed, so that a million items scroll like fifty.
 *
 * Rows are plain elements; focus stays on the grid and the current row is told by `aria-activedescendant`.
 */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, useMemo, useRef, useState } from "react";
import type { Params } from "../api/client.ts";
import { PAGE_ROWS, queryClient } from "../api/queries.ts";
import type { ClassDefinition } from "../api/types.ts";
import { useClasses } from "../changes/useClasses.ts";
import { t } from "../messages/index.ts";
import type { InventorySearch } from "../search.ts";
import { usePreferences } from "../theme/theme.ts";
import { useNow } from "../ui/Time.tsx";
import { ErrorPanel } from "../ui/states.tsx";
import { formatNumber } from "../values/format.ts";
import { TableHead } from "./TableHead.tsx";
import { TableRow } from "./TableRow.tsx";
import { Nothing } from "./Nothing.tsx";
import { columnWidth, gridTracks, tableColumns } from "./columns.ts";
import { useArrivals } from "./useArrivals.ts";
import { useRowActions } from "./useRowActions.ts";
import { usePages } from "./usePages.ts";
import { useTitles } from "./useTitles.ts";

const ROW_PIXELS = { compact: 28, comfortable: 36 } as const;

interface TableProps {
  search: InventorySearch;
  params: Params;
  definition: ClassDefinition | undefined;
  total: number | undefined;
}

export function ItemTable({ search, params, definition, total }: TableProps) {
  // Stable, or every row would be drawn anew while someone scrolls.
  const columns = useMemo(() => tableColumns(definition, search.columns), [definition, search.columns]);
  const { density } = usePreferences();
  const scroller = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState({ from: 0, to: 0 });
  const rows = usePages(params, near, total);
  const classes = useClasses();
  const now = useNow();
  const arrivals = useArrivals(search.class, search.at === undefined);
  const virtual = useVirtualizer({
    count: rows.count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PIXELS[density],
    overscan: 8,
    onChange: ({ range: seen }) => {
      // The next page is asked for while a quarter of a page is still ahead.
      const from = Math.floor((seen?.startIndex ?? 0) / PAGE_ROWS);
      const to = Math.floor(((seen?.endIndex ?? 0) + PAGE_ROWS / 4) / PAGE_ROWS);
      if (from !== near.from || to !== near.to) setNear({ from, to });
    },
  });
  const showNew = () => {
    arrivals.clear();
    rows.refetch();
    void queryClient.invalidateQueries({ queryKey: ["counts"] });
    virtual.scrollToIndex(0);
  };
  const actions = useRowActions({
    rows,
    pageRows: () => Math.floor((scroller.current?.clientHeight ?? 280) / ROW_PIXELS[density]),
    scrollTo: virtual.scrollToIndex,
  });
  const { current } = actions;
  const hasParent = search.parent === undefined && (definition?.is_part ?? true);
  const shown = virtual.getVirtualItems();
  // Rows that scroll out are used again for those that scroll in, which costs less than new ones.
  const slots = useRef(1);
  slots.current = Math.max(slots.current, shown.length);
  const titles = useTitles(hasParent ? shown.map(({ index }) => rows.row(index)?.parent_id) : []);
  const tracks = gridTracks([
    { least: 11, share: 1.4 },
    ...(hasParent ? [{ least: 6.5, share: 0.6 }] : []),
    ...(definition ? [] : [{ least: 9, share: 0.6 }]),
    { least: 6, share: 0 },
    ...columns.map(columnWidth),
    { least: 6.5, share: 0 },
  ]);
  if (rows.error) return <ErrorPanel error={rows.error} retry={rows.refetch} />;
  if (rows.isComplete && rows.count === 0) return <Nothing search={search} newCount={arrivals.newCount} show={showNew} />;
  return (
    <>
      {arrivals.newCount > 0 && (
        <button type="button" className="new-bar" onClick={showNew}>
          {t("inventory.new", { count: arrivals.newCount })}
        </button>
      )}
      <div
        ref={scroller}
        className="grid"
        role="grid"
        tabIndex={0}
        data-shortcut-grid=""
        aria-label={t("inventory.table", { class: definition?.plural ?? t("inventory.allClasses") })}
        aria-rowcount={total === undefined ? -1 : total + 1}
        aria-colcount={columns.length + 3 + Number(hasParent) + Number(!definition)}
        aria-activedescendant={current >= 0 ? `row-${current}` : undefined}
        onKeyDown={actions.press}
        onClick={actions.click}
      >
        <div className="grid-inside" style={{ "--columns": tracks.columns, "--least": tracks.least } as CSSProperties}>
          <TableHead columns={columns} hasClass={!definition} hasParent={hasParent} search={search} />
          <div className="grid-body" role="rowgroup" style={{ blockSize: virtual.getTotalSize() }}>
            {shown.map(({ index, start }) => (
              <TableRow
                key={index % slots.current}
                index={index}
                start={start}
                item={rows.row(index)}
                columns={columns}
                parent={hasParent ? (titles.get(rows.row(index)?.parent_id ?? "") ?? "") : undefined}
                label={definition ? undefined : classes.get(rows.row(index)?.class ?? "")?.label ?? ""}
                now={now}
                isCurrent={index === current}
                at={search.at}
                flashing={arrivals.flashing}
              />
            ))}
          </div>
        </div>
      </div>
      <p className="grid-foot" role="status">
        {rows.isComplete
          ? t("common.allLoaded", { count: rows.reachedCount })
          : total === undefined
            ? t("common.noCount", { shown: formatNumber(rows.reachedCount) })
            : t("common.someLoaded", { shown: rows.reachedCount, count: total })}
      </p>
    </>
  );
}
