/**
 * A part that lies over the page below the header: help, one's own data.
 *
 * The header stays reachable (help, leaving), so this is no modal dialog; the
 * caller makes what lies underneath inert, and this part has the page's only
 * heading of the first level then. Takes the focus, gives it back, closes on Esc.
 */
import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./Button";
import "./sheet.css";

interface Props {
  title: string;
  closeLabel: string;
  onClose: () => void;
  children: ReactNode;
}

export function Sheet({ title, closeLabel, onClose, children }: Props) {
  const heading = useId();
  const top = useRef<HTMLHeadingElement>(null);
  const close = useRef(onClose);
  useEffect(() => {
    close.current = onClose;
  });

  useEffect(() => {
    const before = document.activeElement;
    top.current?.focus();
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && !event.isComposing) close.current();
    };
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("keydown", onKey);
      // What was underneath is inert until React has finished taking this away.
      if (before instanceof HTMLElement) setTimeout(() => before.isConnected && before.focus(), 0);
    };
  }, []);

  return (
    <section className="sheet" aria-labelledby={heading}>
      <div className="sheet-top">
        <h1 id={heading} ref={top} tabIndex={-1}>
          {title}
        </h1>
        <Button tone="plain" aria-label={closeLabel} onClick={onClose}>
          <svg aria-hidden="true" viewBox="0 0 24 24" width="22" height="22">
            <path d="M6 6l12 12M18 6L6 18" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
          </svg>
        </Button>
      </div>
      {children}
    </section>
  );
}
