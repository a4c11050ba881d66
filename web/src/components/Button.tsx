/** The one button: three weights, at least 44 px high, says when it is at work. */
import type { ComponentProps } from "react";
import "./button.css";

interface Props extends ComponentProps<"button"> {
  tone?: "strong" | "quiet" | "plain" | "help";
  /** At work: keeps the focus, takes no second press. */
  busy?: boolean;
}

export function Button({ tone = "quiet", busy = false, type = "button", onClick, ...rest }: Props) {
  return (
    <button
      {...rest}
      type={type}
      className={`button button-${tone}`}
      aria-disabled={busy || rest["aria-disabled"]}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    />
  );
}
