/** The controls of the forms about targets. */
import { Field } from "../ui/Field.tsx";

interface TextProps {
  label: string;
  hint?: string;
  isRequired?: boolean;
  isNumber?: boolean;
  isSecret?: boolean;
  value: string;
  onChange: (value: string) => void;
}

export function TextField({ label, hint, isRequired, isNumber, isSecret, value, onChange }: TextProps) {
  return (
    <Field label={label} {...(hint ? { hint } : {})}>
      {(ids) => (
        <input
          {...ids}
          className="input"
          type={isSecret ? "password" : "text"}
          inputMode={isNumber ? "numeric" : "text"}
          pattern={isNumber ? "[0-9]*" : undefined}
          autoComplete={isSecret ? "new-password" : "off"}
          spellCheck={false}
          required={isRequired}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

export function TextArea({ label, hint, isRequired, value, onChange }: TextProps) {
  return (
    <Field label={label} {...(hint ? { hint } : {})}>
      {(ids) => (
        <textarea
          {...ids}
          className="input mono"
          rows={4}
          spellCheck={false}
          required={isRequired}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

export function FlagField({ label, value, onChange }: { label: string; value: boolean; onChange: (value: boolean) => void }) {
  return (
    <label>
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.target.checked)} /> {label}
    </label>
  );
}
