/** The current row of a table, and what keys and clicks do to it. */
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type MouseEvent, useState } from "react";
import type { Item } from "../api/types.ts";
import { useAt } from "../past/useAt.ts";
import { paths } from "../paths.ts";
import { usePreferences } from "../theme/theme.ts";
import { rowStep } from "./keys.ts";
import type { Rows } from "./usePages.ts";

interface Table {
  rows: Rows;
  /** Rows that are seen at once: a step of Page Up and Page Down. */
  pageRows: () => number;
  scrollTo: (index: number) => void;
}

interface RowActions {
  /** The current row; -1 before one is chosen. */
  current: number;
  press: (event: KeyboardEvent) => void;
  click: (event: MouseEvent) => void;
}

const hasModifier = (event: KeyboardEvent | MouseEvent): boolean => event.ctrlKey || event.metaKey || event.altKey;

export function useRowActions({ rows, pageRows, scrollTo }: Table): RowActions {
  const { keys } = usePreferences();
  const [current, setCurrent] = useState(-1);
  const navigate = useNavigate();
  const at = useAt();
  const open = (item: Item) => void navigate({ to: paths.item, params: { id: item.id }, search: { at } });
  const press = (event: KeyboardEvent) => {
    if (hasModifier(event)) return;
    const step = rowStep(event.key, keys, pageRows());
    if (step !== null) {
      event.preventDefault();
      const wanted = step === "first" ? 0 : step === "last" ? Infinity : current + step;
      const next = Math.max(0, Math.min(rows.reachedCount - 1, wanted));
      setCurrent(next);
      scrollTo(next);
    }
    const item = rows.row(current);
    if (event.key === "Enter" && item && event.target === event.currentTarget) open(item);
  };
  const click = (event: MouseEvent) => {
    const target = event.target instanceof Element ? event.target : null;
    const index = Number(target?.closest<HTMLElement>("[data-index]")?.dataset["index"] ?? -1);
    if (index >= 0) setCurrent(index);
    const item = rows.row(index);
    // One listener for all rows; what opens a new tab stays the browser's.
    if (!item || !target?.closest("a") || event.button !== 0 || event.shiftKey || hasModifier(event)) return;
    event.preventDefault();
    open(item);
  };
  return { current, press, click };
}
