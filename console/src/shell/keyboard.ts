/** Keys that work on every page. Single keys can be turned off (WCAG 2.1.4); rows have their own in the table. */
import { useNavigate, useRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { paths } from "../paths.ts";
import { currentPreferences } from "../theme/theme.ts";
import type { Overlay } from "./Shell.tsx";

/** How long `g` waits for its second key. */
const CHORD_MILLISECONDS = 1_500;

const GOES: { [key: string]: { to: string; search: { class?: string } } } = {
  i: { to: paths.inventory, search: { class: "host" } },
  c: { to: paths.changes, search: {} },
  a: { to: paths.agents, search: {} },
  r: { to: paths.review, search: {} },
};

/** Whether the key belongs to whoever types, not to us. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, select, textarea, [contenteditable]") !== null;
}

function focusSearch(): void {
  const boxes = document.querySelectorAll<HTMLInputElement>("[data-shortcut]");
  // The filter of the page, if it has one, before the search over everything.
  const box = [...boxes].find(({ dataset }) => dataset["shortcut"] === "filter") ?? boxes[0];
  box?.focus();
  box?.select();
}

/** The first `j` or `k` on a page goes into its table; from there on the table has the keys itself. */
function enterGrid(event: KeyboardEvent): boolean {
  const grid = document.querySelector<HTMLElement>("[data-shortcut-grid]");
  if (!grid || grid.contains(document.activeElement)) return false;
  grid.focus();
  grid.dispatchEvent(new KeyboardEvent("keydown", { key: event.key, bubbles: true, cancelable: true }));
  return true;
}

export function useShortcuts(open: (overlay: Overlay) => void): void {
  const navigate = useNavigate();
  const router = useRouter();
  useEffect(() => {
    let chordUntil = 0;
    const single = (event: KeyboardEvent): boolean => {
      const goes = GOES[event.key];
      if (Date.now() < chordUntil && goes) {
        chordUntil = 0;
        void navigate(goes);
        return true;
      }
      chordUntil = event.key === "g" ? Date.now() + CHORD_MILLISECONDS : 0;
      if (event.key === "/") focusSearch();
      else if (event.key === "j" || event.key === "k") return enterGrid(event);
      else if (event.key === "?") open("shortcuts");
      else if (event.key === "Escape" && router.history.canGoBack()) {
        if (/^\/(items|agents)\/[^/]+$/.test(router.state.location.pathname)) router.history.back();
        return false;
      } else return false;
      return true;
    };
    const listen = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing) return;
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        open("palette");
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (isTyping(event.target)) {
        const isInDialog = event.target instanceof HTMLElement && event.target.closest("dialog, [popover]") !== null;
        if (event.key === "Escape" && !isInDialog && event.target instanceof HTMLElement) event.target.blur();
        return;
      }
      // An open dialog or panel has the keyboard to itself.
      if (document.querySelector("dialog[open], [popover]:popover-open")) return;
      if (currentPreferences().keys && single(event)) event.preventDefault();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [navigate, open, router]);
}
