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

const drafts = placeForDrafts<Draft>();
const closings = placeForDrafts<Closing>();

export function draftOf(caseId: string): Draft {
  return drafts.get(caseId) ?? NO_DRAFT;
}

export function keepDraft(caseId: string, draft: Draft): void {
  drafts.set(caseId, draft);
}

/** Return the closing that was begun and not sent, null without one. */
export function closingOf(caseId: string): Closing | null {
  return closings.get(caseId) ?? null;
}

export function keepClosing(caseId: string, closing: Closing | null): void {
  if (closing === null) closings.delete(caseId);
  else closings.set(caseId, closing);
}
