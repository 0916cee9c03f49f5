/** A labelled control with its hint and its error, tied together for assistive technology. */
import { type ReactNode, useId } from "react";

interface FieldProps {
  label: string;
  hint?: string;
  error?: string;
  children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        ...(note ? { "aria-describedby": `${id}-note` } : {}),
        ...(error ? { "aria-invalid": true } : {}),
      })}
      {note && (
        <p id={`${id}-note`} className={error ? "field-note field-error" : "field-note"}>
          {note}
        </p>
      )}
    </div>
  );
}
