/** A labelled line or box of text with its hint and its error, joined for screen readers. */
import { type Ref, useId } from "react";
import "./field.css";

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: string;
  error?: string | undefined;
  rows?: number;
  type?: "text" | "password";
  autoComplete?: string;
  required?: boolean;
  hideLabel?: boolean;
  control?: Ref<HTMLInputElement & HTMLTextAreaElement>;
  onSubmit?: () => void;
}

export function Field(props: Props) {
  const { label, value, onChange, hint, error, rows, type = "text", hideLabel = false, onSubmit } = props;
  const id = useId();
  const about = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const shared = {
    id,
    value,
    className: "field-control",
    autoComplete: props.autoComplete ?? "off",
    "aria-describedby": about,
    "aria-invalid": error ? true : undefined,
    "aria-required": props.required || undefined,
  };
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? "unseen" : "field-label"}>
        {label}
      </label>
      {hint && (
        <p id={`${id}-hint`} className={hideLabel ? "unseen" : "field-hint"}>
          {hint}
        </p>
      )}
      {rows === undefined ? (
        <input
          {...shared}
          ref={props.control}
          type={type}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : (
        <textarea
          {...shared}
          ref={props.control}
          rows={rows}
          placeholder={hideLabel ? hint : undefined}
          onChange={(event) => onChange(event.target.value)}
          onKeyDown={(event) => {
            const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey);
            if (!sends || event.nativeEvent.isComposing || !onSubmit) return;
            event.preventDefault();
            if (!event.repeat) onSubmit(); // a key held down is one press
          }}
        />
      )}
      {error && (
        <p id={`${id}-error`} className="field-error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
