/** Joins the review page with the server: what is next, decide, put aside, open an own decision again. */
import { useCallback, useEffect, useRef, useState } from "react";
import { asFailure, type Failure } from "../../api/failure";
import { decideReview, readNextReview, readReview, skipReview } from "../../api/reviews";
import type { ReviewDecision, ReviewItem, ReviewProgress } from "../../api/types";
import { dropDraft } from "./draft";

/** What is told after something was done. */
export type Told = "sent" | "skipped" | "taken" | "refused" | "changing";

export interface OpenReview {
  item: ReviewItem | null;
  progress: ReviewProgress | null;
  gone: number;
  told: Told | null;
  busy: boolean;
  failure: Failure | null;
  next: () => Promise<void>;
  open: (item: string) => Promise<void>;
  decide: (decision: ReviewDecision) => Promise<void>;
  skip: () => Promise<void>;
}

export function useReview(onSignedOut: () => void): OpenReview {
  const [item, setItem] = useState<ReviewItem | null>(null);
  const [progress, setProgress] = useState<ReviewProgress | null>(null);
  const [gone, setGone] = useState(0);
  const [told, setTold] = useState<Told | null>(null);
  const [busy, setBusy] = useState(true);
  const [failure, setFailure] = useState<Failure | null>(null);
  const working = useRef(false);
  const signedOut = useRef(onSignedOut);
  useEffect(() => {
    signedOut.current = onSignedOut;
  });

  const fail = useCallback((thrown: unknown): void => {
    const problem = asFailure(thrown);
    if (problem.kind === "login") signedOut.current();
    setFailure(problem);
  }, []);

  /** Do one thing at a time; what others settled meanwhile leads to the next text. */
  const work = useCallback(
    async (act: () => Promise<Told | null>): Promise<void> => {
      if (working.current) return;
      working.current = true;
      setBusy(true);
      setFailure(null);
      try {
        const done = await act().catch(instead);
        if (done !== "refused") {
          const found = await readNextReview();
          setItem(found.item);
          setProgress(found.progress);
          setGone(found.gone);
        }
        setTold(done);
      } catch (thrown) {
        fail(thrown);
      } finally {
        working.current = false;
        setBusy(false);
      }
    },
    [fail],
  );

  useEffect(() => {
    void work(async () => null);
  }, [work]);

  return {
    item,
    progress,
    gone,
    told,
    busy,
    failure,
    next: () => work(async () => null),
    open: async (name) => {
      try {
        setItem(await readReview(name));
        setTold("changing");
      } catch (thrown) {
        fail(thrown);
      }
    },
    decide: (decision) =>
      work(async () => {
        if (item === null) return null;
        await decideReview(item.item, decision);
        dropDraft(item.item);
        return "sent";
      }),
    skip: () =>
      work(async () => {
        if (item !== null) await skipReview(item.item);
        return "skipped";
      }),
  };
}

/** Return what to tell when the server would not take it: settled by others, gone, or not complete. */
function instead(thrown: unknown): Told {
  const { kind } = asFailure(thrown);
  if (kind === "state" || kind === "forbidden" || kind === "gone") return "taken";
  if (kind === "input") return "refused";
  throw thrown;
}
