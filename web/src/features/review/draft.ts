/** A decision in the making, as pure functions; drafts are kept by text. */
import type { ReviewDecision, ReviewItem, ReviewReason, ReviewTexts, ReviewVerdict } from "../../api/types";
import { placeForDrafts } from "../../lib/drafts";

export interface Draft {
  verdict: ReviewVerdict | null;
  reason: ReviewReason | null;
  note: string;
  texts: ReviewTexts;
}

/** What keeps a draft from being sent. */
export type Lack = "verdict" | "reason" | "same";

const drafts = placeForDrafts<Draft>();

export function draftOf(item: ReviewItem): Draft {
  return drafts.get(item.item) ?? freshDraft(item);
}

export function keepDraft(item: string, draft: Draft): void {
  drafts.set(item, draft);
}

export function dropDraft(item: string): void {
  drafts.delete(item);
}

/** Return the texts of an item in the form of an edit. */
export function textsOf(item: ReviewItem): ReviewTexts {
  return {
    title: item.title,
    text: item.text,
    turns: item.turns.map((turn) => turn.text),
    answers: [...item.answers],
  };
}

/** Return what keeps the draft from being sent, null when nothing does. */
export function lackOf(draft: Draft, item: ReviewItem): Lack | null {
  if (draft.verdict === null) return "verdict";
  if (draft.verdict === "reject" && draft.reason === null && item.dropped_for === "") return "reason";
  const same = JSON.stringify(draft.texts) === JSON.stringify(textsOf(item));
  return draft.verdict === "edit" && same ? "same" : null;
}

/** Return the decision that a draft without lacks stands for. */
export function decisionOf(draft: Draft): ReviewDecision {
  const verdict = draft.verdict ?? "accept";
  return {
    verdict,
    reason: verdict === "reject" ? draft.reason : null,
    note: draft.note.trim(),
    edited: verdict === "edit" ? draft.texts : null,
  };
}

/** Return the draft with another text in one place. */
export function withText(
  draft: Draft,
  part: "title" | "text" | "turns" | "answers",
  place: number,
  text: string,
): Draft {
  const { texts } = draft;
  const changed =
    part === "title" || part === "text"
      ? { ...texts, [part]: text }
      : { ...texts, [part]: texts[part].map((old, at) => (at === place ? text : old)) };
  return { ...draft, texts: changed };
}

function freshDraft(item: ReviewItem): Draft {
  const { own } = item;
  return {
    verdict: own?.verdict ?? null,
    reason: own?.reason ?? null,
    note: own?.note ?? "",
    texts: own?.edited ?? textsOf(item),
  };
}
