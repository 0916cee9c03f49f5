/** A modal dialog on the platform's own `<dialog>`: focus trap, Esc and inertness are the browser's. */
import { type ReactNode, useEffect, useId, useRef } from "react";
import { X } from "lucide-react";
import { t } from "../messages/index.ts";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  className?: string;
  /** Whether the title is only for assistive technology. */
  isBare?: boolean;
}

export function Dialog({ title, onClose, children, className = "", isBare = false }: DialogProps) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={`dialog ${className}`}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div className="dialog-inside">
        <div className={isBare ? "visually-hidden" : "dialog-head"}>
          <h2 id={id}>{title}</h2>
          <button
            type="button"
            className="button-icon"
            aria-label={t("common.close")}
            onClick={() => dialog.current?.close()}
          >
            <X size={16} aria-hidden="true" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
