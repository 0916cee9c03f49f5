/**
 * The one table of items: an ARIA grid whose rows are windowed, so that a million items scroll like fifty.
 *
 * Rows are plain elements; focus stays on the grid and the current row is told by `aria-activedescendant`.
 */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useNavigate } from "@tanstack/react-router";
import { type CSSProperties, type KeyboardEvent, type MouseEvent, useRef, useState } from "react";
import type { Params } from "../api/client.ts";
import { PAGE_ROWS, queryClient } from "../api/queries.ts";
import type { ClassDefinition } from "../api/types.ts";
import { useClasses } from "../changes/useClasses.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import type { InventorySearch } from "../search.ts";
import { usePreferences } from "../theme/theme.ts";
import { useNow } from "../ui/Time.tsx";
import { ErrorPanel } from "../ui/states.tsx";
import { formatNumber } from "../values/format.ts";
import { TableHead } from "./TableHead.tsx";
import { TableRow } from "./TableRow.tsx";
import { Nothing } from "./Nothing.tsx";
import { columnWidth, gridTracks, tableColumns } from "./columns.ts";
import { rowStep } from "./keys.ts";
import { useArrivals } from "./useArrivals.ts";
import { usePages } from "./usePages.ts";

const ROW_PIXELS = { compact: 28, comfortable: 36 } as const;

interface TableProps {
  search: InventorySearch;
  params: Params;
  definition: ClassDefinition | undefined;
  total: number | undefined;
}

export function ItemTable({ search, params, definition, total }: TableProps) {
  const columns = tableColumns(definition, search.columns);
  const { density, keys } = usePreferences();
  const scroller = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState(-1);
  const [near, setNear] = useState({ from: 0, to: 0 });
  const rows = usePages(params, near, total);
  const classes = useClasses();
  const now = useNow();
  const arrivals = useArrivals(search.class);
  const navigate = useNavigate();
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
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = rowStep(event.key, keys, Math.floor((scroller.current?.clientHeight ?? 280) / ROW_PIXELS[density]));
    if (step !== null) {
      event.preventDefault();
      const next = Math.max(0, Math.min(rows.reachedCount - 1, step === "first" ? 0 : step === "last" ? Infinity : current + step));
      setCurrent(next);
      virtual.scrollToIndex(next);
    }
    const item = rows.row(current);
    if (event.key === "Enter" && item && event.target === event.currentTarget) {
      void navigate({ to: paths.item, params: { id: item.id } });
    }
  };
  const click = (event: MouseEvent) => {
    const target = event.target instanceof Element ? event.target : null;
    const index = Number(target?.closest<HTMLElement>("[data-index]")?.dataset["index"] ?? -1);
    if (index >= 0) setCurrent(index);
    const item = rows.row(index);
    // One listener for all rows; what opens a new tab stays the browser's.
    if (!item || !target?.closest("a") || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    void navigate({ to: paths.item, params: { id: item.id } });
  };
  const tracks = gridTracks([
    { least: 11, share: 1.4 },
    ...(definition ? [] : [{ least: 9, share: 0 }]),
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
        aria-colcount={columns.length + (definition ? 3 : 4)}
        aria-activedescendant={current >= 0 ? `row-${current}` : undefined}
        onKeyDown={press}
        onClick={click}
      >
        <div className="grid-inside" style={{ "--columns": tracks.columns, "--least": tracks.least } as CSSProperties}>
          <TableHead columns={columns} hasClass={!definition} search={search} />
          <div className="grid-body" role="rowgroup" style={{ blockSize: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map(({ index, start }) => (
              <TableRow
                key={index}
                index={index}
                start={start}
                item={rows.row(index)}
                columns={columns}
                label={definition ? undefined : classes.get(rows.row(index)?.class ?? "")?.label ?? ""}
                now={now}
                isCurrent={index === current}
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
