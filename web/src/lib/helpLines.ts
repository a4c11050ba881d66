/**
 * The help lines that travel inside the page, so that they are on the screen
 * when the server does not answer. `helpLines.json` is written by
 * `scripts/help_lines.py` from the one table of the safety room.
 */
import lines from "./helpLines.json" with { type: "json" };

export interface HelpLine {
  number: string;
  tel: string;
  name: string;
  region: string;
  hours: string;
  kind: string;
  seen_on: string;
  call_tested: string | null;
}

/** All lines in the order of the table. */
export const helpLines: readonly HelpLine[] = lines;

// In this order on the card: a person who is hurt now, then somebody to talk to, then danger from others.
const FIRST = ["120", "12356", "110"];

/** The lines of the whole country that stand on every card. */
export const firstLines: readonly HelpLine[] = FIRST.flatMap((number) =>
  helpLines.filter((line) => line.region === "CN" && line.number === number),
);

/** All other lines, grouped by region in the order of the table. */
export function otherLines(): [region: string, lines: HelpLine[]][] {
  const regions = new Map<string, HelpLine[]>();
  for (const line of helpLines) {
    if (!firstLines.includes(line)) regions.set(line.region, [...(regions.get(line.region) ?? []), line]);
  }
  return [...regions];
}

/** Return the oldest day on which a line was looked up, and how many were dialled by a person. */
export function checked(): { date: string; called: number } {
  const dates = helpLines.map((line) => line.seen_on).sort();
  return { date: dates[0] ?? "", called: helpLines.filter((line) => line.call_tested !== null).length };
}
