/**
 * A button that opens a panel beside it, on the platform's own popover: light dismiss, Esc and focus are the browser's.
 *
 * The panel is placed by script when it opens, since not every supported browser places it by CSS.
 */
import { type ReactNode, useId, useLayoutEffect, useRef, useState } from "react";

interface PopoverProps {
  label: string;
  className?: string;
  button: ReactNode;
  children: (close: () => void) => ReactNode;
  /** The heading of the panel for assistive technology; the label by default. */
  title?: string;
  /** Shown as disabled, yet it opens, since the panel says why. */
  isUnavailable?: boolean;
}

/** Distance to the edges of the window. */
const MARGIN_PIXELS = 8;

function place(button: HTMLElement, panel: HTMLElement): void {
  const anchor = button.getBoundingClientRect();
  const { width, height } = panel.getBoundingClientRect();
  const isRightToLeft = getComputedStyle(button).direction === "rtl";
  // Measured from the side where lines start, as the style sheet places it.
  const wanted = isRightToLeft ? window.innerWidth - anchor.right : anchor.left;
  const most = window.innerWidth - width - MARGIN_PIXELS;
  const below = anchor.bottom + 4;
  const fits = below + height + MARGIN_PIXELS <= window.innerHeight;
  const above = Math.max(MARGIN_PIXELS, anchor.top - height - 4);
  panel.style.setProperty("--x", `${Math.max(MARGIN_PIXELS, Math.min(wanted, most))}px`);
  panel.style.setProperty("--y", `${fits ? below : above}px`);
}

export function Popover({ label, className = "button", button, children, title, isUnavailable }: PopoverProps) {
  const id = useId();
  const anchor = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const [isOpen, setOpen] = useState(false);
  // After its content is there, since the place depends on its size.
  useLayoutEffect(() => {
    if (!isOpen || !anchor.current || !panel.current) return;
    place(anchor.current, panel.current);
    panel.current.querySelector<HTMLElement>("button, a, input")?.focus({ preventScroll: true });
  }, [isOpen]);
  return (
    <>
      <button
        ref={anchor}
        type="button"
        className={className}
        popoverTarget={id}
        aria-label={label}
        aria-expanded={isOpen}
        data-unavailable={isUnavailable}
        title={label}
      >
        {button}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        role="dialog"
        aria-label={title ?? label}
        className="popover"
        onToggle={(event) => setOpen(event.newState === "open")}
      >
        {isOpen && children(() => panel.current?.hidePopover())}
      </div>
    </>
  );
}
