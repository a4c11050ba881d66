/**
 * The state of one case on the desk, as a pure reducer.
 *
 * A draft remembers which version of the conversation its writer has seen. When
 * the visitor writes meanwhile, the page says so, and for a moment, in which
 * nobody can have read the new words, a press still goes out with the version
 * before them: the server refuses it, the page says that nothing was sent. After
 * that moment, or after a refusal, a press sends with the version on the screen.
 */
import type { Failure } from "../../api/failure";
import type { CaseDetail, Message } from "../../api/types";

export interface DeskState {
  detail: CaseDetail | null;
  draft: string;
  /** The version that the draft's writer has seen; null without a draft. */
  baseVersion: number | null;
  /** The visitor wrote while a draft was open. */
  stale: boolean;
  /** The server did not take the draft, because the visitor had written. */
  refused: boolean;
  sent: boolean;
  busy: boolean;
  failure: Failure | null;
}

export type DeskEvent =
  | { type: "read"; detail: CaseDetail }
  | { type: "seen" }
  | { type: "typed"; text: string }
  | { type: "working" }
  | { type: "sent"; message: Message }
  | { type: "refused"; detail: CaseDetail }
  | { type: "failed"; failure: Failure };

/** What a box without a draft has. */
const NO_DRAFT = { draft: "", baseVersion: null, stale: false, refused: false };

/** Return the state with which a case is opened, with a draft kept from before. */
export function opened(draft: string): DeskState {
  return {
    ...NO_DRAFT,
    detail: null,
    draft,
    sent: false,
    busy: false,
    failure: null,
  };
}

/** Return whether a press now would send with the version that is on the screen. */
export function upToDate(state: DeskState): boolean {
  return state.baseVersion === version(state);
}

export function desk(state: DeskState, event: DeskEvent): DeskState {
  switch (event.type) {
    case "read":
      return read(state, event.detail);
    case "seen":
      return state.draft === "" ? state : { ...state, baseVersion: version(state) };
    case "typed":
      if (event.text === "") return { ...state, ...NO_DRAFT, sent: false };
      return {
        ...state,
        draft: event.text,
        baseVersion: state.baseVersion ?? version(state),
        sent: false,
      };
    case "working":
      return { ...state, busy: true, failure: null };
    case "sent":
      return {
        ...state,
        ...NO_DRAFT,
        detail: withMessage(state.detail, event.message),
        sent: true,
        busy: false,
      };
    case "refused":
      return {
        ...read(state, event.detail),
        baseVersion: event.detail.conversation.version,
        stale: true,
        refused: true,
        busy: false,
      };
    case "failed":
      return { ...state, busy: false, failure: event.failure };
  }
}

function read(state: DeskState, detail: CaseDetail): DeskState {
  const wrote = state.detail !== null && newestOf(detail) !== newestOf(state.detail);
  return {
    ...state,
    detail,
    baseVersion: baseAfter(state, wrote, detail.conversation.version),
    stale: state.draft !== "" && (state.stale || wrote),
    refused: state.refused && !wrote,
    busy: false,
    failure: null,
  };
}

/** Only the visitor's new words wait to be seen; what else moved the version is no reason to refuse. */
function baseAfter(state: DeskState, wrote: boolean, now: number): number | null {
  if (state.draft === "") return null;
  // A draft kept from before was written before anything on this screen was seen.
  if (state.baseVersion === null) return now;
  return upToDate(state) && !wrote ? now : state.baseVersion;
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
