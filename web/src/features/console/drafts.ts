/** What somebody has seen and writes in a case; it outlives a look at the list and a new sign-in. */
import type { CloseReason } from "../../api/types";
import { placeForDrafts } from "../../lib/drafts";
import { type Draft, NO_DRAFT } from "./desk";

/** Why a case is to be closed, and the note that goes with it. */
export interface Closing {
  isOpen: boolean;
  reason: CloseReason | null;
  note: string;
}

const NO_CLOSING: Closing = { isOpen: false, reason: null, note: "" };

const drafts = placeForDrafts<Draft>();
const closings = placeForDrafts<Closing>();

export function draftOf(caseId: string): Draft {
  return drafts.get(caseId) ?? NO_DRAFT;
}

export function keepDraft(caseId: string, draft: Draft): void {
  drafts.set(caseId, draft);
}

/** Return the closing that was begun and not sent. */
export function closingOf(caseId: string): Closing {
  return closings.get(caseId) ?? NO_CLOSING;
}

export function keepClosing(caseId: string, closing: Closing): void {
  closings.set(caseId, closing);
}

export function dropClosing(caseId: string): void {
  closings.delete(caseId);
}
