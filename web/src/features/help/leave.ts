/** Leaves the page at once, for somebody who must not be seen reading it. */
import { useEffect, useRef } from "react";
import { forgetConversation } from "../../lib/tab";

// Two presses within this time; a slower second press closes something, no more.
const TWICE_MS = 1_000;
const NEUTRAL_PAGE = "/blank.html";

/** Clear the screen and go to a neutral page, the browser's own when the server is away; "back" does not return. */
export function leaveAtOnce(reachable: boolean): void {
  forgetConversation();
  document.documentElement.hidden = true;
  document.title = "";
  window.location.replace(reachable && navigator.onLine ? NEUTRAL_PAGE : "about:blank");
}

/** Leave when Esc is pressed twice, wherever the focus is. */
export function useEscapeTwice(leave: () => void): void {
  const latest = useRef(leave);
  useEffect(() => {
    latest.current = leave;
  });
  useEffect(() => {
    let before = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent): void => {
      // While Chinese is being typed, Esc belongs to the input method.
      if (event.key !== "Escape" || event.isComposing || event.repeat) return;
      if (event.timeStamp - before <= TWICE_MS) latest.current();
      before = event.timeStamp;
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, []);
}
