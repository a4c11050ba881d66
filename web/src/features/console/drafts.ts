/** Drafts of answers, kept in memory by case: they outlive a look at the list and a new sign-in, not the tab. */
const drafts = new Map<string, string>();

export function draftOf(caseId: string): string {
  return drafts.get(caseId) ?? "";
}

export function keepDraft(caseId: string, text: string): void {
  if (text === "") drafts.delete(caseId);
  else drafts.set(caseId, text);
}
