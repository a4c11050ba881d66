/** Leaves the page at once, for somebody who must not be seen reading it. */
import { useEffect } from "react";
import { forgetConversation } from "../../lib/tab";

// Two presses within this time; a slower second press closes something, no more.
const TWICE_MS = 1_000;
// The browser's own empty page: there at once, also without a network, and its address tells nothing.
const NEUTRAL_PAGE = "about:blank";

/** Clear the screen and go to a neutral page; "back" does not return here. */
export function leaveAtOnce(): void {
  forgetConversation();
  document.documentElement.hidden = true;
  document.title = "";
  window.location.replace(NEUTRAL_PAGE);
}

/** Leave when Esc is pressed twice, wherever the focus is. */
export function useEscapeTwice(leave: () => void): void {
  useEffect(() => {
    let before = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent): void => {
      // While Chinese is being typed, Esc belongs to the input method.
      if (event.key !== "Escape" || event.isComposing || event.repeat) return;
      if (event.timeStamp - before <= TWICE_MS) leave();
      before = event.timeStamp;
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, [leave]);
}
