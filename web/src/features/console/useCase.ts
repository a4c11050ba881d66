/** Joins one case's state with the server: looks again and again, takes, answers, closes. */
import { useEffect, useReducer, useRef } from "react";
import { asFailure } from "../../api/failure";
import { answerCase, closeCase, readCase, takeCase } from "../../api/staff";
import type { CloseReason } from "../../api/types";
import { usePoll } from "../../lib/poll";
import { type KeyedText, keyFor } from "../../lib/requestKey";
import { useShown } from "../../lib/shown";
import { type DeskState, desk, newestOf, opened, unseen } from "./desk";
import { draftOf, keepDraft } from "./drafts";

const EVERY_MS = 5_000;

/** So long new words stand on the screen before a press counts as made after reading them. */
const TO_READ_MS = 2_000;

export interface OpenCase {
  state: DeskState;
  type: (text: string) => void;
  take: () => Promise<void>;
  answer: () => Promise<void>;
  close: (reason: CloseReason, note: string) => Promise<boolean>;
}

export function useCase(caseId: string, onSignedOut: () => void): OpenCase {
  const [state, dispatch] = useReducer(desk, caseId, (id) => opened(draftOf(id)));
  const { detail, draft, seen } = state;
  const spoken = useRef<KeyedText | null>(null);
  const working = useRef(false);
  // Only the look that began last counts, and none that began before a press.
  const begun = useRef(0);

  useEffect(() => keepDraft(caseId, { text: draft, seen }), [caseId, draft, seen]);

  const look = async (signal?: AbortSignal): Promise<void> => {
    const turn = ++begun.current;
    const stands = () => turn === begun.current && !signal?.aborted;
    try {
      const found = await readCase(caseId, signal);
      if (stands()) dispatch({ type: "read", detail: found });
    } catch (thrown) {
      if (stands()) fail(thrown, "lost");
    }
  };

  const fail = (thrown: unknown, type: "lost" | "failed"): void => {
    const failure = asFailure(thrown);
    if (failure.kind === "login") onSignedOut();
    dispatch({ type, failure });
  };

  usePoll(async (signal) => {
    if (!working.current) await look(signal);
  }, EVERY_MS);

  const isNew = unseen(state);
  const newest = detail === null ? undefined : newestOf(detail);
  const shown = useShown();
  useEffect(() => {
    if (!isNew || !shown) return;
    const timer = setTimeout(() => dispatch({ type: "seen", newest }), TO_READ_MS);
    return () => clearTimeout(timer);
  }, [isNew, shown, newest]);

  /** Do one thing that changes the case, then look; meanwhile no look may bring back the old state. */
  const work = async (act: () => Promise<void>, onStale?: () => void): Promise<boolean> => {
    if (working.current) return false;
    working.current = true;
    begun.current += 1;
    dispatch({ type: "working" });
    let again = false;
    try {
      await act();
      return true;
    } catch (thrown) {
      const { kind } = asFailure(thrown);
      again = kind === "stale" || kind === "state";
      if (kind === "stale" && onStale) onStale();
      else fail(thrown, "failed");
      return false;
    } finally {
      working.current = false;
      dispatch({ type: "rested" });
      if (again) void look();
    }
  };

  return {
    state,
    type: (text) => dispatch({ type: "typed", text }),
    take: async () => {
      await work(async () => dispatch({ type: "read", detail: await takeCase(caseId) }));
    },
    answer: async () => {
      const words = draft.trim();
      if (words === "" || seen === null) return;
      const act = async () => {
        // The same words after a lost answer carry the same key: the server has them once.
        spoken.current = keyFor(words, spoken.current);
        const message = await answerCase(caseId, words, seen.version, spoken.current.key);
        spoken.current = null;
        dispatch({ type: "sent", message, words });
      };
      if (await work(act, () => dispatch({ type: "refused" }))) await look();
    },
    close: (reason, note) =>
      work(async () => {
        dispatch({ type: "read", detail: await closeCase(caseId, reason, note, seen?.version ?? 0) });
      }),
  };
}
