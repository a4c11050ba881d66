/** Drafts of answers, kept by case with what their writer had seen: they outlive a look at the list. */
import { placeForDrafts } from "../../lib/drafts";
import type { Draft } from "./desk";

const drafts = placeForDrafts<Draft>();

export function draftOf(caseId: string): Draft {
  return drafts.get(caseId) ?? { text: "", seen: null };
}

export function keepDraft(caseId: string, draft: Draft): void {
  if (draft.text === "") drafts.delete(caseId);
  else drafts.set(caseId, draft);
}
