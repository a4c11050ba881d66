/**
 * Joins the chat's state with the server: asks, says, follows runs, looks for a person's words.
 *
 * Which conversation is open stays in the tab, never in the address, so that
 * neither the history nor a shared link tells of it.
 */
import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { asFailure } from "../../api/failure";
import { followRun } from "../../api/stream";
import type { RunInfo, Turn } from "../../api/types";
import * as server from "../../api/visitor";
import { usePoll } from "../../lib/poll";
import { type KeyedText, keyFor } from "../../lib/requestKey";
import { forgetConversation, rememberConversation, rememberedConversation } from "../../lib/tab";
import { awaitsPerson, type ChatState, chat, type Doing, mayAskAnother, nothing } from "./state";

const LOOK_MS = 4_000;

export interface Chat {
  state: ChatState;
  /** Whether a conversation of this tab is being opened. */
  opening: boolean;
  start: (title: string, details: string) => Promise<boolean>;
  say: (text: string) => Promise<boolean>;
  open: (conversationId: string) => Promise<void>;
  leave: () => void;
  askAnother: () => Promise<void>;
  askPerson: () => Promise<void>;
  stop: () => Promise<void>;
  retry: () => void;
}

export function useChat(): Chat {
  const [state, dispatch] = useReducer(chat, nothing);
  const tag = useRef("");
  const line = useRef<AbortController | null>(null);
  const spoken = useRef<KeyedText | null>(null);
  const wished = useRef<KeyedText | null>(null);
  const [wanted, setWanted] = useState(rememberedConversation);
  const id = state.conversation?.id ?? null;

  const fail = useCallback((doing: Doing, thrown: unknown) => {
    const failure = asFailure(thrown);
    if (failure.kind === "gone") forgetConversation();
    dispatch({ type: "failed", doing, failure });
  }, []);

  const follow = useCallback(
    async (conversationId: string, run: RunInfo) => {
      line.current?.abort();
      const here = new AbortController();
      line.current = here;
      try {
        await followRun({
          runId: run.id,
          signal: here.signal,
          onEvent: (event) => dispatch({ type: "streamed", runId: run.id, event }),
          onBroken: (broken) => dispatch({ type: "broken", broken }),
        });
        // The server's own copy brings what the stream did not: source, time, whether it can be rated.
        const fresh = await server.readConversation(conversationId, "", here.signal);
        if (fresh === null || here.signal.aborted) return;
        tag.current = fresh.tag;
        dispatch({ type: "read", conversation: fresh.conversation });
      } catch (thrown) {
        if (!here.signal.aborted) fail("follow", thrown);
      } finally {
        if (line.current === here) {
          line.current = null;
          dispatch({ type: "lost" });
        }
      }
    },
    [fail],
  );

  const open = useCallback(
    async (conversationId: string) => {
      setWanted(conversationId);
      try {
        const found = await server.readConversation(conversationId);
        if (found === null) return;
        tag.current = found.tag;
        rememberConversation(conversationId);
        dispatch({ type: "read", conversation: found.conversation });
        if (found.conversation.running) void follow(conversationId, found.conversation.running);
      } catch (thrown) {
        if (asFailure(thrown).kind === "gone") setWanted(null);
        fail("open", thrown);
      }
    },
    [fail, follow],
  );

  useEffect(() => {
    const remembered = rememberedConversation();
    if (remembered !== null) void open(remembered);
    return () => line.current?.abort();
  }, [open]);

  usePoll(
    async (signal) => {
      if (id === null || line.current !== null) return;
      try {
        const found = await server.readConversation(id, tag.current, signal);
        if (found === null || signal.aborted) return;
        tag.current = found.tag;
        dispatch({ type: "read", conversation: found.conversation });
      } catch {
        // The next look comes in a few seconds; the composer tells of a lost line when it matters.
      }
    },
    LOOK_MS,
    id !== null && awaitsPerson(state),
  );

  const send = async (
    words: string,
    title: string,
    post: (key: string) => Promise<Turn>,
  ): Promise<boolean> => {
    const keyed = keyFor(words, spoken.current);
    spoken.current = keyed;
    dispatch({ type: "sending" });
    try {
      const turn = await post(keyed.key);
      spoken.current = null;
      tag.current = "";
      rememberConversation(turn.conversation_id);
      line.current?.abort();
      line.current = null;
      dispatch({ type: "said", turn, title });
      if (turn.run) void follow(turn.conversation_id, turn.run);
      return true;
    } catch (thrown) {
      fail("send", thrown);
      return false;
    }
  };

  const askAnother = async (): Promise<void> => {
    if (id === null) return;
    const keyed = keyFor(`${id} ${state.conversation?.version}`, wished.current);
    wished.current = keyed;
    try {
      const run = await server.askAnotherView(id, keyed.key);
      wished.current = null;
      dispatch({ type: "answering", run });
      await follow(id, run);
    } catch (thrown) {
      fail("another", thrown);
      if (asFailure(thrown).kind === "state") void open(id);
    }
  };

  const askPerson = async (): Promise<void> => {
    if (id === null) return;
    try {
      await server.askForPerson(id);
      dispatch({ type: "asked" });
    } catch (thrown) {
      fail("person", thrown);
    }
  };

  const stop = async (): Promise<void> => {
    const runId = state.answering?.runId;
    if (runId === undefined) return;
    dispatch({ type: "stopping" });
    try {
      await server.stopRun(runId);
    } catch {
      // Whatever the server does, for this page it is over: what was released stays on the screen.
      line.current?.abort();
      dispatch({ type: "lost" });
    }
  };

  const leave = (): void => {
    line.current?.abort();
    line.current = null;
    tag.current = "";
    spoken.current = null;
    forgetConversation();
    setWanted(null);
    dispatch({ type: "left" });
  };

  const retry = (): void => {
    const doing = state.failure?.doing;
    dispatch({ type: "calmed" });
    if (doing === "another" && mayAskAnother(state)) void askAnother();
    else if (doing === "person") void askPerson();
    else if (id ?? wanted) void open(id ?? wanted ?? "");
  };

  return {
    state,
    opening: id === null && wanted !== null && state.failure === null,
    start: (title, details) =>
      send(`${title}\n${details}`, title || details.slice(0, 24), (key) =>
        server.startConversation(title, details, key),
      ),
    say: (text) =>
      id === null ? Promise.resolve(false) : send(text, "", (key) => server.sayMore(id, text, key)),
    open,
    leave,
    askAnother,
    askPerson,
    stop,
    retry,
  };
}
