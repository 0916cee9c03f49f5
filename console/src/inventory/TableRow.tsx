/** One row of the table: plain elements only, since hundreds of them pass by while someone scrolls. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { catalogQuery } from "../api/queries.ts";
import type { AttributeDefinition, Item } from "../api/types.ts";
import { t } from "../messages/index.ts";
import { paths } from "../paths.ts";
import { Status } from "../ui/Status.tsx";
import { Age } from "../ui/Time.tsx";
import { formatValue } from "../values/format.ts";
import { isNumeric } from "./columns.ts";

interface RowProps {
  index: number;
  start: number;
  item: Item | undefined;
  columns: AttributeDefinition[];
  hasClass: boolean;
  isCurrent: boolean;
  flashing: ReadonlySet<string>;
  choose: (index: number) => void;
}

function Cell({ item, attribute, isFlashing }: { item: Item; attribute: AttributeDefinition; isFlashing: boolean }) {
  const value = item.attributes[attribute.name]?.[0]?.value;
  const text = value === undefined ? t("common.notLookedAt") : formatValue(value, attribute);
  const classes = [
    isNumeric(attribute) ? "number" : "",
    value === undefined || value === null ? "cell-unknown" : "",
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

function ClassLabel({ name }: { name: string }) {
  const { data } = useQuery(catalogQuery);
  return <>{data?.classes.find((each) => each.name === name)?.label ?? name}</>;
}

export const TableRow = memo(function TableRow(props: RowProps) {
  const { index, start, item, columns, hasClass, isCurrent, flashing, choose } = props;
  return (
    <div
      id={`row-${index}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isCurrent}
      className={isCurrent ? "grid-row is-current" : "grid-row"}
      style={{ transform: `translateY(${start}px)` }}
      onClick={() => choose(index)}
    >
      <div role="gridcell" title={item?.title}>
        {item ? (
          <Link to={paths.item} params={{ id: item.id }} tabIndex={-1}>
            <bdi>{item.title || item.id}</bdi>
          </Link>
        ) : (
          <span className="cell-wait" />
        )}
      </div>
      {item && hasClass && (
        <div role="gridcell">
          <ClassLabel name={item.class} />
        </div>
      )}
      {item && (
        <>
          <div role="gridcell" className={flashing.has(`${item.id}/state`) ? "flash" : undefined}>
            <Status status={item.state} />
          </div>
          {columns.map((attribute) => (
            <Cell key={attribute.name} item={item} attribute={attribute} isFlashing={flashing.has(`${item.id}/${attribute.name}`)} />
          ))}
          <div role="gridcell">
            <Age time={item.last_seen} />
          </div>
        </>
      )}
    </div>
  );
});
