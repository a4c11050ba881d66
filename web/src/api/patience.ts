/**
 * An abort signal with a limit of patience, made by hand: `AbortSignal.any` and
 * `AbortSignal.timeout` are missing on phones that are a few years old.
 */
export interface Patience {
  signal: AbortSignal;
  /** Whether the time ran out (and not the caller gave up). */
  ranOut: () => boolean;
  /** Start the time anew: something came in. */
  renew: () => void;
  /** Stop the clock; with `hangUp` also whatever still listens to the signal. */
  end: (hangUp?: boolean) => void;
}

/** Return a signal that is aborted with `outer`, or after `milliseconds` without `renew`. */
export function patience(milliseconds: number, outer?: AbortSignal): Patience {
  const controller = new AbortController();
  let late = false;
  const give = (): void => controller.abort();
  const runOut = (): void => {
    late = true;
    controller.abort();
  };
  let timer = setTimeout(runOut, milliseconds);
  if (outer?.aborted) give();
  outer?.addEventListener("abort", give);
  return {
    signal: controller.signal,
    ranOut: () => late,
    renew: () => {
      clearTimeout(timer);
      timer = setTimeout(runOut, milliseconds);
    },
    end: (hangUp = false) => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", give);
      if (hangUp) controller.abort();
    },
  };
}
