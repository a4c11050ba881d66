/**
 * The state of one case on the desk, as a pure reducer.
 *
 * What the counsellor has seen is a version of the conversation, whether a draft
 * is open or not. The visitor's new words count as seen once they have stood on
 * the screen for a while; until then a press carries the version before them, the
 * server refuses it, and the page says that nothing was sent. What else moves the
 * version, a reply of one's own or a level, needs no reading. A reply whose answer
 * was lost is known again when it stands in the conversation.
 */
import type { Failure } from "../../api/failure";
import type { CaseDetail, Message } from "../../api/types";
import { type KeyedText, keyFor } from "../../lib/requestKey";

export interface Seen {
  version: number;
  /** The visitor's newest message. */
  newest: string | undefined;
}

/** The words of a press, with its key and the last message that stood before it. */
export interface Spoken extends KeyedText {
  afterSeq: number;
}

/** What is kept of a case while its page is closed. */
export interface Draft {
  text: string;
  /** What its writer had seen; null before anything was. */
  seen: Seen | null;
  /** The last press of this draft, as long as nobody knows that it arrived. */
  spoken: Spoken | null;
}

export interface DeskState {
  detail: CaseDetail | null;
  draft: string;
  seen: Seen | null;
  spoken: Spoken | null;
  /** The visitor wrote while a draft was open. */
  wrote: boolean;
  /** How many presses of this draft the server has refused; each is said anew. */
  refusals: number;
  /** The last press was made on a page that was then left: nobody here knows what it came to. */
  unknown: boolean;
  /** The last press was refused, because the conversation had changed. */
  refused: boolean;
  sent: boolean;
  busy: boolean;
  /** Why the last press came to nothing; it stays until the next press or letter, or until the case has moved on. */
  unsent: Failure | null;
  /** Why the last look came to nothing; the next look takes it away. */
  lost: Failure | null;
}

export type DeskEvent =
  | { type: "read"; detail: CaseDetail }
  | { type: "lost"; failure: Failure }
  | { type: "seen"; newest: string | undefined }
  | { type: "typed"; text: string }
  | { type: "pressed"; spoken: Spoken | null }
  | { type: "working" }
  | { type: "rested" }
  | { type: "sent"; message: Message }
  | { type: "refused"; key: string }
  | { type: "failed"; failure: Failure; key: string | null };

const NOTHING_SAID = { wrote: false, refused: false, refusals: 0, unsent: null, unknown: false };

export const NO_DRAFT: Draft = { text: "", seen: null, spoken: null };

/** Return the state with which a case is opened, with a draft kept from before. */
export function opened(kept: Draft): DeskState {
  return {
    ...NOTHING_SAID,
    detail: null,
    draft: kept.text,
    seen: kept.seen,
    spoken: kept.spoken,
    unknown: kept.spoken !== null && kept.spoken.text === kept.text.trim(),
    sent: false,
    busy: false,
    lost: null,
  };
}

/** Return whether the visitor's words on the screen do not count as seen yet. */
export function unseen(state: DeskState): boolean {
  return state.detail !== null && state.seen?.newest !== newestOf(state.detail);
}

/** Return what a press of the draft sends: the same words under the same key, so that the server has them once. */
export function toSpeak(state: DeskState): Spoken {
  const keyed = keyFor(state.draft.trim(), state.spoken);
  if (keyed === state.spoken) return state.spoken;
  return { ...keyed, afterSeq: state.detail?.conversation.messages.at(-1)?.seq ?? 0 };
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
    case "pressed":
      return { ...state, spoken: event.spoken, sent: false, refused: false, unsent: null, unknown: false };
    case "working":
      return { ...state, busy: true };
    case "rested":
      return { ...state, busy: false };
    case "sent":
      return sent(state, event.message);
    case "refused":
      if (isSettled(state, event.key)) return state;
      return { ...state, refused: true, refusals: state.refusals + 1 };
    case "failed":
      return isSettled(state, event.key) ? state : { ...state, unsent: event.failure };
  }
}

function read(known: DeskState, detail: CaseDetail): DeskState {
  const state = stands(known.spoken, detail) ? arrived(known) : known;
  const before = state.seen ?? seenIn(detail);
  const isNew = newestOf(detail) !== before.newest;
  return {
    ...state,
    detail,
    seen: isNew ? before : seenIn(detail),
    wrote: state.draft !== "" && (state.wrote || isNew),
    unsent: sameHands(state.detail, detail) ? state.unsent : null,
    lost: null,
  };
}

/** Whether the words of a press have become a message, also where its answer was lost. */
function stands(spoken: Spoken | null, detail: CaseDetail): boolean {
  if (spoken === null) return false;
  return detail.conversation.messages.some(
    ({ author, seq, text }) => author === "counsellor" && seq > spoken.afterSeq && text === spoken.text,
  );
}

/** Whether a press has been found to have arrived before its own answer came. */
function isSettled(state: DeskState, key: string | null): boolean {
  return key !== null && state.spoken?.key !== key;
}

function arrived(state: DeskState): DeskState {
  // What was typed while the reply was on its way is a draft of its own.
  const draft = state.draft.trim() === state.spoken?.text ? "" : state.draft;
  return { ...state, ...NOTHING_SAID, spoken: null, draft, sent: true };
}

function sent(state: DeskState, message: Message): DeskState {
  const { detail, seen } = state;
  // The reply moved the version by one; a look that has it already brought that version.
  const isKnown = detail?.conversation.messages.some(({ id }) => id === message.id) ?? false;
  const now = seen === null || isKnown ? seen : { ...seen, version: seen.version + 1 };
  return { ...arrived(state), seen: now, detail: withMessage(detail, message) };
}

function sameHands(before: CaseDetail | null, now: CaseDetail): boolean {
  if (before === null) return true;
  return before.case.state === now.case.state && before.case.assignee === now.case.assignee;
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
