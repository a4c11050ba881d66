/** Drafts of answers, kept by case: they outlive a look at the list. */
import { placeForDrafts } from "../../lib/drafts";

const drafts = placeForDrafts<string>();

export function draftOf(caseId: string): string {
  return drafts.get(caseId) ?? "";
}

export function keepDraft(caseId: string, text: string): void {
  if (text === "") drafts.delete(caseId);
  else drafts.set(caseId, text);
}
