/** Addresses of the pages of trainings, and the short form of a run's name. */
export const RUNS = "/desk/runs";

export function runPath(name: string): string {
  return `${RUNS}/${encodeURIComponent(name)}`;
}

/** Return the run that a path names, or null for the list. */
export function runIn(path: string): string | null {
  if (!path.startsWith(`${RUNS}/`)) return null;
  const name = path.slice(RUNS.length + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // typed by hand: the server knows no such run and says so
  }
}

/** Return a name without most of its fingerprint: enough to tell runs apart on a phone. */
export function shortRun(name: string): string {
  return name.replace(/-([0-9a-f]{6})[0-9a-f]+$/, "-$1");
}
