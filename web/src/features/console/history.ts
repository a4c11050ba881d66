/** A case's history in the words of the page; the casebook keeps it in fixed English words. */
import type { CloseReason, Level } from "../../api/types";
import { type PlainKey, t } from "../../lib/messages/t";

const LEVELS: Record<Level, PlainKey> = {
  none: "level.none",
  distress: "level.distress",
  risk: "level.risk",
  urgent: "level.urgent",
  in_progress: "level.in_progress",
};

const REASONS: Record<CloseReason, PlainKey> = {
  resolved: "case.reason.resolved",
  referred: "case.reason.referred",
  emergency_handed_over: "case.reason.emergency_handed_over",
  visitor_left: "case.reason.visitor_left",
  false_alarm: "case.reason.false_alarm",
};

const WHO: Record<string, PlainKey> = {
  screening: "history.screening",
  service: "history.service",
  visitor: "author.visitorDesk",
};

const WHAT: [pattern: RegExp, words: (found: string) => string][] = [
  [/^opened at level (\w+)$/, (level) => t("history.opened", { level: levelIn(level) })],
  [/^level raised to (\w+)$/, (level) => t("history.raised", { level: levelIn(level) })],
  [/^level lowered from \w+ to (\w+)$/, (level) => t("history.lowered", { level: levelIn(level) })],
  [/^taken$/, () => t("history.taken")],
  [/^closed: (\w+)$/, (reason) => t("history.closed", { reason: named(REASONS, reason) })],
  [/^given back\b/, () => t("history.givenBack")],
];

/** Return who did it: a part of the service by its name in the page's language, a person by theirs. */
export function whoIn(who: string): string {
  return named(WHO, who);
}

/** Return what was done; words that are not known here stay as they came. */
export function whatIn(what: string): string {
  for (const [pattern, words] of WHAT) {
    const found = pattern.exec(what);
    if (found) return words(found[1] ?? "");
  }
  return what;
}

function levelIn(level: string): string {
  return named(LEVELS, level);
}

function named(names: Record<string, PlainKey>, name: string): string {
  const key = Object.hasOwn(names, name) ? names[name] : undefined;
  return key === undefined ? name : t(key);
}
