/** Joins one case's state with the server: looks again and again, takes, answers, closes. */
import { useEffect, useReducer, useRef } from "react";
import { asFailure } from "../../api/failure";
import { answerCase, closeCase, readCase, takeCase } from "../../api/staff";
import type { CloseReason } from "../../api/types";
import { usePoll } from "../../lib/poll";
import { type KeyedText, keyFor } from "../../lib/requestKey";
import { type DeskState, desk, opened, upToDate } from "./desk";
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
  const spoken = useRef<KeyedText | null>(null);
  const working = useRef(false);

  const fail = (thrown: unknown): void => {
    const failure = asFailure(thrown);
    if (failure.kind === "login") onSignedOut();
    dispatch({ type: "failed", failure });
  };

  usePoll(async (signal) => {
    if (working.current) return;
    try {
      const detail = await readCase(caseId, signal);
      if (!signal.aborted && !working.current) dispatch({ type: "read", detail });
    } catch (thrown) {
      if (!signal.aborted) fail(thrown);
    }
  }, EVERY_MS);

  const behind = state.stale && !upToDate(state);
  const shown = state.detail?.conversation.version;
  // biome-ignore lint/correctness/useExhaustiveDependencies: newer words start the wait again
  useEffect(() => {
    if (!behind) return;
    const timer = setTimeout(() => dispatch({ type: "seen" }), TO_READ_MS);
    return () => clearTimeout(timer);
  }, [behind, shown]);

  /** Do one thing that changes the case; meanwhile no look may bring back the old state. */
  const work = async (act: () => Promise<void>): Promise<boolean> => {
    if (working.current) return false;
    working.current = true;
    dispatch({ type: "working" });
    try {
      await act();
      return true;
    } catch (thrown) {
      await refresh(thrown);
      return false;
    } finally {
      working.current = false;
    }
  };

  const refresh = async (thrown: unknown): Promise<void> => {
    const { kind } = asFailure(thrown);
    if (kind !== "stale" && kind !== "state") return fail(thrown);
    try {
      const detail = await readCase(caseId);
      if (kind === "stale") dispatch({ type: "refused", detail });
      else {
        dispatch({ type: "read", detail });
        fail(thrown);
      }
    } catch (again) {
      fail(again);
    }
  };

  return {
    state,
    type: (text) => {
      keepDraft(caseId, text);
      dispatch({ type: "typed", text });
    },
    take: async () => {
      await work(async () => dispatch({ type: "read", detail: await takeCase(caseId) }));
    },
    answer: async () => {
      const words = state.draft.trim();
      const base = state.baseVersion;
      if (words === "" || base === null) return;
      await work(async () => {
        spoken.current = keyFor(`${base} ${words}`, spoken.current);
        const message = await answerCase(caseId, words, base, spoken.current.key);
        spoken.current = null;
        keepDraft(caseId, "");
        dispatch({ type: "sent", message });
        dispatch({ type: "read", detail: await readCase(caseId) });
      });
    },
    close: (reason, note) =>
      work(async () => {
        const base = state.detail?.conversation.version ?? 0;
        dispatch({ type: "read", detail: await closeCase(caseId, reason, note, base) });
      }),
  };
}
