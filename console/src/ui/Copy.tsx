/** A text to copy, with a button that says when it did. */
import { Check, Copy as CopyIcon } from "lucide-react";
import { useState } from "react";
import { t } from "../messages/index.ts";

/** How long the button says "Copied". */
const SAID_MILLISECONDS = 2_000;

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), SAID_MILLISECONDS);
  };
  const Icon = isCopied ? Check : CopyIcon;
  return (
    <button type="button" className="button" aria-label={label ?? t("common.copy")} onClick={() => void copy()}>
      <Icon size={14} aria-hidden="true" />
      <span aria-live="polite">{isCopied ? t("common.copied") : t("common.copy")}</span>
    </button>
  );
}

/** One line to copy; the text can also be selected by hand where the clipboard is not allowed. */
export function CopyLine({ text, label }: { text: string; label: string }) {
  return (
    <div className="copy-line">
      <code tabIndex={0} role="textbox" aria-readonly="true" aria-label={label}>
        {text}
      </code>
      <CopyButton text={text} />
    </div>
  );
}
