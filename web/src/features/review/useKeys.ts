/** Single keys that choose a decision; silent while somebody writes, and when switched off. */
import { useEffect, useRef } from "react";
import type { ReviewVerdict } from "../../api/types";

const KEYS: Record<string, ReviewVerdict> = { a: "accept", e: "edit", r: "reject" };

export function useKeys(active: boolean, onKey: (verdict: ReviewVerdict) => void): void {
  const call = useRef(onKey);
  useEffect(() => {
    call.current = onKey;
  });
  useEffect(() => {
    if (!active) return;
    const listen = (event: KeyboardEvent): void => {
      const verdict = KEYS[event.key.toLowerCase()];
      if (verdict === undefined || event.ctrlKey || event.metaKey || event.altKey || event.isComposing)
        return;
      if (isWriting(event.target)) return;
      event.preventDefault();
      call.current(verdict);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [active]);
}

function isWriting(target: EventTarget | null): boolean {
  if (target instanceof HTMLTextAreaElement) return true;
  return target instanceof HTMLInputElement && target.type !== "radio" && target.type !== "checkbox";
}
