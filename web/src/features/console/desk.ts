/**
 * The state of one case on the desk, as a pure reducer.
 *
 * What the counsellor has seen is a version of the conversation, whether a draft
 * is open or not. The visitor's new words count as seen once they have stood on
 * the screen for a while; until then a press carries the version before them, the
 * server refuses it, and the page says that nothing was sent. What else moves the
 * version, a reply of one's own or a level, needs no reading.
 */
import type { Failure } from "../../api/failure";
import type { CaseDetail, Message } from "../../api/types";

export interface Seen {
  version: number;
  /** The visitor's newest message. */
  newest: string | undefined;
}

export interface Draft {
  text: string;
  /** What its writer had seen; null before anything was. */
  seen: Seen | null;
}

export interface DeskState {
  detail: CaseDetail | null;
  draft: string;
  seen: Seen | null;
  /** The visitor wrote while a draft was open. */
  wrote: boolean;
  /** How many presses the server has refused since this draft last went out; each is said anew. */
  refusals: number;
  /** The last press was refused, because the conversation had changed. */
  refused: boolean;
  sent: boolean;
  busy: boolean;
  /** Why the last press came to nothing; it stays until the next press or letter. */
  unsent: Failure | null;
  /** Why the last look came to nothing; the next look takes it away. */
  lost: Failure | null;
}

export type DeskEvent =
  | { type: "read"; detail: CaseDetail }
  | { type: "lost"; failure: Failure }
  | { type: "seen"; newest: string | undefined }
  | { type: "typed"; text: string }
  | { type: "working" }
  | { type: "rested" }
  | { type: "sent"; message: Message; words: string }
  | { type: "refused" }
  | { type: "failed"; failure: Failure };

const NOTHING_SAID = { wrote: false, refused: false, refusals: 0, unsent: null };

/** Return the state with which a case is opened, with a draft kept from before. */
export function opened(kept: Draft): DeskState {
  return {
    ...NOTHING_SAID,
    detail: null,
    draft: kept.text,
    seen: kept.seen,
    sent: false,
    busy: false,
    lost: null,
  };
}

/** Return whether the visitor's words on the screen do not count as seen yet. */
export function unseen(state: DeskState): boolean {
  return state.detail !== null && state.seen?.newest !== newestOf(state.detail);
}

/** Return the visitor's newest message. */
export function newestOf(detail: CaseDetail): string | undefined {
  return detail.conversation.messages.findLast((message) => message.author === "visitor")?.id;
}

export function desk(state: DeskState, event: DeskEvent): DeskState {
  switch (event.type) {
    case "read":
      return read(state, event.detail);
    case "lost":
      return { ...state, lost: event.failure };
    case "seen":
      return { ...state, seen: seenUpTo(state, event.newest) };
    case "typed":
      if (event.text === "") return { ...state, ...NOTHING_SAID, draft: "", sent: false };
      return { ...state, draft: event.text, sent: false, unsent: null };
    case "working":
      return { ...state, busy: true, sent: false, refused: false, unsent: null };
    case "rested":
      return { ...state, busy: false };
    case "sent":
      return sent(state, event.message, event.words);
    case "refused":
      return { ...state, refused: true, refusals: state.refusals + 1 };
    case "failed":
      return { ...state, unsent: event.failure };
  }
}

function read(state: DeskState, detail: CaseDetail): DeskState {
  const before = state.seen ?? seenIn(detail);
  const isNew = newestOf(detail) !== before.newest;
  return {
    ...state,
    detail,
    seen: isNew ? before : seenIn(detail),
    wrote: state.draft !== "" && (state.wrote || isNew),
    lost: null,
  };
}

function sent(state: DeskState, message: Message, words: string): DeskState {
  // What was typed while the reply was on its way is a draft of its own.
  const draft = state.draft.trim() === words ? "" : state.draft;
  return { ...state, ...NOTHING_SAID, detail: withMessage(state.detail, message), draft, sent: true };
}

/** Words that came after those that were read are still to be read. */
function seenUpTo({ detail, seen }: DeskState, newest: string | undefined): Seen | null {
  return detail !== null && newestOf(detail) === newest ? seenIn(detail) : seen;
}

function seenIn(detail: CaseDetail): Seen {
  return { version: detail.conversation.version, newest: newestOf(detail) };
}

function withMessage(detail: CaseDetail | null, message: Message): CaseDetail | null {
  if (detail === null) return null;
  const { conversation } = detail;
  const others = conversation.messages.filter((known) => known.id !== message.id);
  return { ...detail, conversation: { ...conversation, messages: [...others, message] } };
}
