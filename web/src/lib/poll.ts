/** A hook that calls a function again and again, never two calls at the same time. */
import { useEffect, useRef } from "react";

/**
 * Call `look` every `intervalMs` while `active`, first at once. The next wait
 * starts when the call has ended; `look` must catch its own errors.
 */
export function usePoll(
  look: (signal: AbortSignal) => Promise<void>,
  intervalMs: number,
  active = true,
): void {
  const latest = useRef(look);
  useEffect(() => {
    latest.current = look;
  });
  useEffect(() => {
    if (!active) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async (): Promise<void> => {
      await latest.current(stop.signal);
      if (!stop.signal.aborted) timer = setTimeout(() => void turn(), intervalMs);
    };
    void turn();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [intervalMs, active]);
}
