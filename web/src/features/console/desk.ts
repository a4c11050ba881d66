/**
 * The state of one case on the desk, as a pure reducer.
 *
 * A draft remembers the version of the conversation at its first letter: when
 * the visitor writes meanwhile the server refuses it, the page shows the new
 * words, and the next press sends with the version that has now been seen.
 */
import type { Failure } from "../../api/failure";
import type { CaseDetail, Message } from "../../api/types";

export interface DeskState {
  detail: CaseDetail | null;
  draft: string;
  /** The version on the screen when the draft was begun; null without a draft. */
  baseVersion: number | null;
  /** The visitor wrote while a draft was open. */
  stale: boolean;
  sent: boolean;
  busy: boolean;
  failure: Failure | null;
}

export type DeskEvent =
  | { type: "read"; detail: CaseDetail }
  | { type: "typed"; text: string }
  | { type: "working" }
  | { type: "sent"; message: Message }
  | { type: "refused"; detail: CaseDetail }
  | { type: "failed"; failure: Failure };

/** Return the state with which a case is opened, with a draft kept from before. */
export function opened(draft: string): DeskState {
  return {
    detail: null,
    draft,
    baseVersion: null,
    stale: false,
    sent: false,
    busy: false,
    failure: null,
  };
}

export function desk(state: DeskState, event: DeskEvent): DeskState {
  switch (event.type) {
    case "read":
      return read(state, event.detail);
    case "typed":
      return {
        ...state,
        draft: event.text,
        baseVersion: event.text === "" ? null : (state.baseVersion ?? version(state)),
        stale: event.text === "" ? false : state.stale,
        sent: false,
      };
    case "working":
      return { ...state, busy: true, failure: null };
    case "sent":
      return {
        ...state,
        detail: withMessage(state.detail, event.message),
        draft: "",
        baseVersion: null,
        stale: false,
        sent: true,
        busy: false,
      };
    case "refused":
      return {
        ...read(state, event.detail),
        baseVersion: event.detail.conversation.version,
        stale: true,
        busy: false,
      };
    case "failed":
      return { ...state, busy: false, failure: event.failure };
  }
}

function read(state: DeskState, detail: CaseDetail): DeskState {
  // A draft kept from before was written before anything on this screen was seen.
  const baseVersion = state.draft === "" ? null : (state.baseVersion ?? detail.conversation.version);
  const wrote = state.detail !== null && newestOf(detail) !== newestOf(state.detail);
  return {
    ...state,
    detail,
    baseVersion,
    stale: state.draft !== "" && (state.stale || wrote),
    busy: false,
    failure: null,
  };
}

function version(state: DeskState): number | null {
  return state.detail?.conversation.version ?? null;
}

/** The visitor's newest message: only that makes a draft stale in the eyes of a reader. */
function newestOf(detail: CaseDetail): string | undefined {
  const own = detail.conversation.messages.filter((message) => message.author === "visitor");
  return own[own.length - 1]?.id;
}

function withMessage(detail: CaseDetail | null, message: Message): CaseDetail | null {
  if (detail === null) return null;
  const { conversation } = detail;
  const others = conversation.messages.filter((known) => known.id !== message.id);
  return { ...detail, conversation: { ...conversation, messages: [...others, message] } };
}
