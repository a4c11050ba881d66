/** Addresses of the desk's pages, and the short form of a case's name. */
const CASES = "/desk/cases/";

export const DESK = "/desk";

export function casePath(caseId: string): string {
  return CASES + encodeURIComponent(caseId);
}

/** Return the case that a path names, or null for the list. */
export function caseIn(path: string): string | null {
  return path.startsWith(CASES) ? decodeURIComponent(path.slice(CASES.length)) : null;
}

/** Return the last six characters: enough to tell cases apart, short enough to say aloud. */
export function shortId(caseId: string): string {
  return caseId.slice(-6);
}
