/**
 * What somebody at the desk wrote and has not sent, in memory: it outlives a new sign-in of the same person,
 * never the tab, a sign-out or another person's sign-in.
 */
let writer: string | null = null;
const kept: { clear: () => void }[] = [];

/** Return a new place for drafts; what is in it goes with its writer. */
export function placeForDrafts<Draft>(): Map<string, Draft> {
  const drafts = new Map<string, Draft>();
  kept.push(drafts);
  return drafts;
}

/** Say who writes from now on; the drafts of anybody else are forgotten. */
export function draftsAreOf(name: string): void {
  if (name !== writer) forgetDrafts();
  writer = name;
}

export function forgetDrafts(): void {
  for (const drafts of kept) drafts.clear();
}
