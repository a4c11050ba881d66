/** Reads a training's curves and, while it may still grow, only what is new of them. */
import { useEffect, useRef, useState } from "react";
import { asFailure, type Failure } from "../../api/failure";
import { readCurve } from "../../api/trainings";
import type { TrainingCurve, TrainingLine } from "../../api/types";
import { usePoll } from "../../lib/poll";
import { grown } from "./points";

const RUNNING_MS = 3_000;
const STILL_MS = 15_000;

export interface Curve {
  lines: readonly TrainingLine[];
  state: TrainingCurve["state"] | null;
  now: TrainingCurve["now"];
  failure: Failure | null;
}

const NOTHING: Curve = { lines: [], state: null, now: null, failure: null };

/** Follow the run; a name of null follows nothing. */
export function useCurve(run: string | null, onSignedOut: () => void): Curve {
  const [curve, setCurve] = useState<Curve>(NOTHING);
  const place = useRef(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another run begins anew
  useEffect(() => {
    place.current = 0;
    setCurve(NOTHING);
  }, [run]);

  const look = async (signal: AbortSignal): Promise<void> => {
    if (run === null) return;
    try {
      for await (const answer of answers(run, place.current, signal)) {
        if (signal.aborted) return;
        place.current = answer.next;
        setCurve(({ lines }) => ({
          lines: grown(lines, answer),
          state: answer.state,
          now: answer.now,
          failure: null,
        }));
      }
    } catch (thrown) {
      if (signal.aborted) return;
      const failure = asFailure(thrown);
      if (failure.kind === "login") onSignedOut();
      setCurve((known) => ({ ...known, failure }));
    }
  };

  const grows = curve.state === null || curve.state === "running" || curve.state === "interrupted";
  const isLost = curve.failure?.kind === "gone" || curve.failure?.kind === "forbidden";
  usePoll(look, curve.state === "interrupted" ? STILL_MS : RUNNING_MS, run !== null && grows && !isLost);
  return curve;
}

/** Ask for what is new, one answer after the other, until nothing more is there. */
async function* answers(run: string, start: number, signal: AbortSignal): AsyncGenerator<TrainingCurve> {
  let place = start;
  let more = true;
  while (more) {
    const answer = await readCurve(run, place, signal);
    place = answer.next;
    more = answer.more;
    yield answer;
  }
}
