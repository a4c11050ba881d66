/** Joins one case's state with the server: looks again and again, takes, answers, closes. */
import { useEffect, useReducer, useRef } from "react";
import { asFailure, type Failure } from "../../api/failure";
import { answerCase, closeCase, readCase, takeCase } from "../../api/staff";
import type { CaseDetail, CloseReason } from "../../api/types";
import { usePoll } from "../../lib/poll";
import { useShown } from "../../lib/shown";
import { type DeskState, desk, newestOf, opened, toSpeak, unseen } from "./desk";
import { draftOf, keepDraft } from "./drafts";

const EVERY_MS = 5_000;

/** So long new words stand on the screen before a press counts as made after reading them. */
const TO_READ_MS = 2_000;
/** And so long for who was refused twice: a visitor who writes line after line must still be reachable. */
const TO_READ_AGAIN_MS = 500;

export interface OpenCase {
  state: DeskState;
  type: (text: string) => void;
  take: () => Promise<void>;
  answer: () => Promise<void>;
  /** Close the case; returns why it came to nothing. */
  close: (reason: CloseReason, note: string) => Promise<Failure | null>;
}

export function useCase(caseId: string, onSignedOut: () => void): OpenCase {
  const [state, dispatch] = useReducer(desk, caseId, (id) => opened(draftOf(id)));
  const { detail, draft, seen, spoken, refusals } = state;
  const working = useRef(false);
  const left = useRef(false);
  // Only the look that began last counts, and none that began before something was done.
  const begun = useRef(0);

  useEffect(() => keepDraft(caseId, { text: draft, seen, spoken }), [caseId, draft, seen, spoken]);
  useEffect(() => {
    left.current = false;
    return () => {
      left.current = true;
    };
  }, []);

  /** Return the failure; what comes after the page was left concerns nobody who is here now. */
  const heard = (thrown: unknown): Failure => {
    const failure = asFailure(thrown);
    if (failure.kind === "login" && !left.current) onSignedOut();
    return failure;
  };

  const look = async (signal?: AbortSignal): Promise<void> => {
    const turn = ++begun.current;
    const stands = () => turn === begun.current && !signal?.aborted;
    try {
      const found = await readCase(caseId, signal);
      if (stands()) dispatch({ type: "read", detail: found });
    } catch (thrown) {
      if (stands()) dispatch({ type: "lost", failure: heard(thrown) });
    }
  };

  usePoll(look, EVERY_MS);

  const isNew = unseen(state);
  const newest = detail === null ? undefined : newestOf(detail);
  const toRead = refusals > 1 ? TO_READ_AGAIN_MS : TO_READ_MS;
  const shown = useShown();
  useEffect(() => {
    if (!isNew || !shown) return;
    const timer = setTimeout(() => dispatch({ type: "seen", newest }), toRead);
    return () => clearTimeout(timer);
  }, [isNew, shown, newest, toRead]);

  /** Do one thing that changes the case; a look from before it can't bring back the old state. */
  const work = async <T>(ask: () => Promise<T>, use: (found: T) => void): Promise<Failure | null> => {
    working.current = true;
    dispatch({ type: "working" });
    try {
      const found = await ask();
      begun.current += 1;
      use(found);
      return null;
    } catch (thrown) {
      const failure = heard(thrown);
      if (failure.kind === "stale" || failure.kind === "state") void look();
      return failure;
    } finally {
      working.current = false;
      dispatch({ type: "rested" });
    }
  };
  const read = (found: CaseDetail) => dispatch({ type: "read", detail: found });

  return {
    state,
    type: (text) => dispatch({ type: "typed", text }),
    take: async () => {
      if (working.current) return;
      dispatch({ type: "pressed", spoken: null });
      const failure = await work(() => takeCase(caseId), read);
      if (failure) dispatch({ type: "failed", failure, key: null });
    },
    answer: async () => {
      if (draft.trim() === "" || seen === null || working.current) return;
      const said = toSpeak(state);
      dispatch({ type: "pressed", spoken: said });
      const failure = await work(
        () => answerCase(caseId, said.text, seen.version, said.key),
        (message) => dispatch({ type: "sent", message }),
      );
      if (failure?.kind === "stale") dispatch({ type: "refused", key: said.key });
      else if (failure) dispatch({ type: "failed", failure, key: said.key });
      else await look();
    },
    close: async (reason, note) => {
      if (working.current) return null;
      return work(() => closeCase(caseId, reason, note, seen?.version ?? 0), read);
    },
  };
}
