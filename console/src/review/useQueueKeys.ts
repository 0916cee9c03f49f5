/** The keys of the queue, wherever on the page the focus is; while someone types or a dialog is open they are not ours. */
import { useEffect, useRef } from "react";
import { isTyping } from "../shell/keyboard.ts";
import { currentPreferences } from "../theme/theme.ts";
import { type QueueKey, queueKey } from "./queue.ts";

/** Keys that also scroll or press what has the focus: they are ours only inside the list. */
const INSIDE_ONLY: ReadonlySet<string> = new Set(["ArrowDown", "ArrowUp", "Home", "End", " "]);

export function useQueueKeys(press: (key: QueueKey) => void, isInside: () => boolean): void {
  const latest = useRef({ press, isInside });
  useEffect(() => {
    latest.current = { press, isInside };
  });
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      // A box of the list is no text field.
      const isBox = event.target instanceof HTMLInputElement && event.target.type === "checkbox";
      if (!isBox && isTyping(event.target)) return;
      if (document.querySelector("dialog[open], [popover]:popover-open")) return;
      if (INSIDE_ONLY.has(event.key) && !latest.current.isInside()) return;
      const meant = queueKey(event.key, currentPreferences().keys);
      if (meant === null || (isBox && event.key === " ")) return;
      event.preventDefault();
      latest.current.press(meant);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}
