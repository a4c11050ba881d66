/**
 * The help lines that travel inside the page, so that they are on the screen
 * when the server does not answer. `helpLines.json` is written by
 * `scripts/help_lines.py` from the one table of the safety room.
 */
import lines from "./helpLines.json" with { type: "json" };
import type { Language } from "./language.ts";

export interface HelpLine {
  number: string;
  tel: string;
  name: string;
  name_en: string;
  region: string;
  hours: string;
  hours_en: string;
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

// Time zones of places outside the mainland whose lines the table has. The zone is read on the
// device and sent nowhere; it says where somebody is better than the language does.
const PLACES: readonly [zone: RegExp, region: string][] = [
  [/^(Asia\/Hong_Kong|Hongkong)$/, "HK"],
  [/^(Asia\/Taipei|ROC)$/, "TW"],
  [/^(US|America\/(Indiana|Kentucky|North_Dakota))\//, "US"],
  [/^America\/(New_York|Detroit|Chicago|Menominee|Denver|Boise|Phoenix|Los_Angeles)$/, "US"],
  [/^America\/(Anchorage|Juneau|Sitka|Metlakatla|Yakutat|Nome|Adak)$|^Pacific\/Honolulu$/, "US"],
];

/** The region, and its lines, in which the device's clock is; null on the mainland and where nothing is known. */
export function linesHere(zone: string = timeZone()): { region: string; lines: HelpLine[] } | null {
  const region = PLACES.find(([zones]) => zones.test(zone))?.[1];
  if (region === undefined) return null;
  return { region, lines: helpLines.filter((line) => line.region === region) };
}

/** Return what a line is called in a language. */
export function nameOf(line: HelpLine, language: Language): string {
  return language === "en" ? line.name_en : line.name;
}

/** Return when a line answers, in a language. */
export function hoursOf(line: HelpLine, language: Language): string {
  return language === "en" ? line.hours_en : line.hours;
}

function timeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

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
