/**
 * The state of one visitor's conversation, as a pure reducer.
 *
 * The server's copy (`read`) is the truth; what streams in stands beside it in
 * `answering` until the run is done. Nothing here talks to the server.
 */
import type { Failure } from "../../api/failure";
import type { Conversation, Message, RunEvent, RunInfo, Turn } from "../../api/types";

export type Doing = "open" | "send" | "read" | "follow" | "another" | "person" | "stop";
export type Remark = "stopped" | "replaced" | "replacedLate" | "ended";

/** An answer in the making: what has been released of it so far. */
export interface Answering {
  runId: string;
  kind: RunInfo["kind"];
  state: RunInfo["state"];
  messageId: string | null;
  text: string;
  broken: boolean;
  stopping: boolean;
}

export interface ChatState {
  conversation: Omit<Conversation, "messages" | "running"> | null;
  messages: readonly Message[];
  answering: Answering | null;
  helpFirst: boolean;
  sending: boolean;
  remark: Remark | null;
  failure: { doing: Doing; failure: Failure } | null;
}

export type ChatEvent =
  | { type: "read"; conversation: Conversation }
  | { type: "sending" }
  | { type: "said"; turn: Turn; title: string }
  | { type: "answering"; run: RunInfo }
  | { type: "streamed"; runId: string; event: RunEvent }
  | { type: "broken"; broken: boolean }
  | { type: "lost" }
  | { type: "stopping" }
  | { type: "asked" }
  | { type: "failed"; doing: Doing; failure: Failure }
  | { type: "calmed" }
  | { type: "left" };

export const nothing: ChatState = {
  conversation: null,
  messages: [],
  answering: null,
  helpFirst: false,
  sending: false,
  remark: null,
  failure: null,
};

export function chat(state: ChatState, event: ChatEvent): ChatState {
  switch (event.type) {
    case "read":
      return read(state, event.conversation);
    case "sending":
      return { ...state, sending: true, failure: null, remark: null };
    case "said":
      return said(state, event.turn, event.title);
    case "answering":
      return { ...state, answering: begin(event.run), failure: null, remark: null };
    case "streamed":
      return state.answering?.runId === event.runId ? streamed(state, state.answering, event.event) : state;
    case "broken":
      return withAnswering(state, { broken: event.broken });
    case "lost":
      return keepReleased({ ...state, answering: null }, state.answering);
    case "stopping":
      return withAnswering(state, { stopping: true });
    case "asked":
      return asked(state);
    case "failed":
      return { ...state, sending: false, failure: { doing: event.doing, failure: event.failure } };
    case "calmed":
      return { ...state, failure: null };
    case "left":
      return nothing;
  }
}

/** Whether a further view may be asked for: the server would answer the newest message, and has done so once. */
export function mayAskAnother(state: ChatState): boolean {
  const { conversation, messages, answering, sending } = state;
  if (conversation === null || answering !== null || sending) return false;
  const last = messages[messages.length - 1]?.author;
  return conversation.may_view && last !== undefined && last !== "visitor";
}

// One is enough, as on the server: Japanese is written with as many Han as Chinese.
const KANA_OR_HANGUL =
  /[\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff\u31f0-\u31ff\uff66-\uff6f\uff71-\uff9d\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uffa0-\uffdc]/u;

/** Whether a model would write the next view: it answers Chinese only, and the server judges it by the same rule. */
export function isForTheModel({ messages }: ChatState): boolean {
  const newest = messages.findLast(({ author }) => author === "visitor")?.text ?? "";
  const letters = newest.match(/\p{L}|\u3007/gu)?.length ?? 0;
  const han = newest.match(/\p{Script=Han}/gu)?.length ?? 0;
  return !KANA_OR_HANGUL.test(newest) && (letters === 0 || han / letters >= 0.5);
}

/** Whether a person may come in at any moment, so that the page must look again and again. */
export function awaitsPerson({ conversation }: ChatState): boolean {
  return conversation?.owner === "person" || conversation?.case === "open" || conversation?.case === "taken";
}

function read(state: ChatState, conversation: Conversation): ChatState {
  const { messages, running, ...rest } = conversation;
  // A case is closed but never unmade: a reading that set out before it was opened must not hide it.
  const known = state.conversation?.id === rest.id ? state.conversation.case : null;
  return {
    ...state,
    conversation: { ...rest, case: rest.case ?? known },
    messages,
    helpFirst: rest.help && (rest.level === "urgent" || rest.level === "in_progress"),
    answering: state.answering ?? (running === null ? null : begin(running)),
    failure: state.failure?.doing === "read" || state.failure?.doing === "open" ? null : state.failure,
  };
}

function said(before: ChatState, turn: Turn, title: string): ChatState {
  // Somebody may write while an answer is still coming; what was released of it stays.
  const state = keepReleased(before, before.answering);
  const earlier = state.conversation?.case ?? null;
  const open = turn.owner === "person" ? "taken" : "open";
  const fresh = [turn.message, ...(turn.notice ? [turn.notice] : [])];
  return {
    ...state,
    sending: false,
    failure: null,
    conversation: {
      id: turn.conversation_id,
      version: turn.version,
      owner: turn.owner,
      title: state.conversation?.title ?? title,
      level: turn.level,
      help: turn.help,
      case: turn.case_open ? open : earlier,
      may_view: turn.owner === "bot" && (turn.level === "none" || turn.level === "distress"),
    },
    messages: merged(state.messages, fresh),
    helpFirst: turn.help_first,
    answering: turn.run === null ? null : begin(turn.run),
  };
}

function begin(run: RunInfo): Answering {
  const { id: runId, kind, state } = run;
  return { runId, kind, state, messageId: null, text: "", broken: false, stopping: false };
}

function streamed(state: ChatState, answering: Answering, event: RunEvent): ChatState {
  switch (event.name) {
    case "state":
      return { ...withAnswering(state, { state: event.state }), remark: remarkOf(event.state, state.remark) };
    case "sentence":
      return withAnswering(state, { messageId: event.message_id, text: answering.text + event.text });
    case "message":
      return { ...state, messages: merged(state.messages, [event.message]) };
    case "replaced":
      return {
        ...withAnswering(state, { messageId: null, text: "" }),
        messages: merged(
          state.messages.filter((message) => message.id !== answering.messageId),
          [event.message],
        ),
        remark: event.reason === "guard" ? "replaced" : "replacedLate",
      };
    case "done":
      return keepReleased(
        {
          ...state,
          answering: null,
          conversation: state.conversation && { ...state.conversation, version: event.version },
        },
        answering,
      );
  }
}

function remarkOf(state: RunInfo["state"], before: Remark | null): Remark | null {
  if (state === "stopped") return "stopped";
  return state === "failed" ? "ended" : before;
}

/** The sentences already released, as a message; the server's own copy comes later. */
export function releasedOf(answering: Answering | null): Message | null {
  if (answering === null || answering.messageId === null || answering.text === "") return null;
  return {
    id: answering.messageId,
    seq: Number.MAX_SAFE_INTEGER,
    author: "model",
    text: answering.text,
    created_at: "",
    run_id: answering.runId,
    source: null,
    rating: null,
    can_rate: false,
  };
}

function keepReleased(state: ChatState, answering: Answering | null): ChatState {
  const released = releasedOf(answering);
  if (released === null) return state;
  const stored = state.messages.find((message) => message.id === released.id);
  // What a look in between brought may be shorter than what has streamed since.
  const kept = stored ? { ...stored, text: released.text } : released;
  return { ...state, messages: merged(state.messages, [kept]) };
}

function asked(state: ChatState): ChatState {
  const conversation = state.conversation && {
    ...state.conversation,
    case: state.conversation.case === "taken" ? ("taken" as const) : ("open" as const),
  };
  return { ...state, conversation, failure: null };
}

function withAnswering(state: ChatState, change: Partial<Answering>): ChatState {
  return state.answering === null ? state : { ...state, answering: { ...state.answering, ...change } };
}

function merged(old: readonly Message[], fresh: readonly Message[]): readonly Message[] {
  const ids = new Set(fresh.map((message) => message.id));
  return [...old.filter((message) => !ids.has(message.id)), ...fresh].sort((a, b) => a.seq - b.seq);
}
