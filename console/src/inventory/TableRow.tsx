/** One row of the table: plain elements only, since hundreds of them pass by while someone scrolls. */
import { memo } from "react";
import type { AttributeDefinition, Item } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { itemAddress } from "../paths.ts";
import { Status } from "../ui/Status.tsx";
import { formatAge, formatUtc, formatValue } from "../values/format.ts";
import { isNumeric } from "./columns.ts";

interface RowProps {
  index: number;
  start: number;
  item: Item | undefined;
  /** The class in words, in a table of several classes. */
  label: string | undefined;
  /** What it is a part of, in a table of parts of several items. */
  parent: string | undefined;
  columns: AttributeDefinition[];
  now: number;
  isCurrent: boolean;
  /** The past moment that the table shows. */
  at: string | undefined;
  flashing: ReadonlySet<string>;
}

function Cell({ item, attribute, isFlashing }: { item: Item; attribute: AttributeDefinition; isFlashing: boolean }) {
  const value = item.attributes[attribute.name]?.[0]?.value;
  const text = value === undefined ? t("common.notLookedAt") : formatValue(value, attribute);
  const classes = [
    isNumeric(attribute) ? "number" : "",
    value === undefined || value === null || value === "" ? "cell-unknown" : "",
    isFlashing ? "flash" : "",
  ];
  return (
    <div role="gridcell" className={classes.filter(Boolean).join(" ") || undefined} title={value === undefined ? undefined : text}>
      {value === undefined ? (
        <>
          <span aria-hidden="true">–</span>
          <span className="visually-hidden">{text}</span>
        </>
      ) : (
        <bdi>{text}</bdi>
      )}
    </div>
  );
}

export const TableRow = memo(function TableRow(props: RowProps) {
  const { index, start, item, label, parent, columns, now, isCurrent, at, flashing } = props;
  return (
    <div
      id={`row-${index}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isCurrent}
      data-index={index}
      className={isCurrent ? "grid-row is-current" : "grid-row"}
      style={{ transform: `translateY(${start}px)` }}
    >
      <div role="gridcell" title={item?.title}>
        {item ? (
          <a href={itemAddress(item.id, at)} tabIndex={-1}>
            <bdi>{item.title || item.id}</bdi>
          </a>
        ) : (
          <span className="cell-wait" />
        )}
      </div>
      {item && parent !== undefined && (
        <div role="gridcell" className="grid-parent" title={parent}>
          <bdi>{parent}</bdi>
        </div>
      )}
      {item && label !== undefined && <div role="gridcell">{label}</div>}
      {item && (
        <>
          <div role="gridcell" className={flashing.has(`${item.id}/state`) ? "flash" : undefined}>
            <Status status={item.state} />
          </div>
          {columns.map((attribute) => (
            <Cell key={attribute.name} item={item} attribute={attribute} isFlashing={flashing.has(`${item.id}/${attribute.name}`)} />
          ))}
          <div role="gridcell">
            <time dateTime={item.last_seen} title={formatUtc(item.last_seen)}>
              {formatAge(item.last_seen, now)}
            </time>
          </div>
        </>
      )}
    </div>
  );
});
