/** Times and waits in the words of the page; takes what the server sends, in ISO 8601 or seconds. */
import { languageTag } from "./language";
import { t } from "./messages/t";

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
const DAY = { month: "long", day: "numeric" } as const;

/** Return "02:13", with the date before it when it was not on the day of `now`. */
export function timeOf(iso: string, now: Date = new Date()): string {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return "";
  const today = then.toDateString() === now.toDateString();
  const clock = then.toLocaleTimeString(languageTag(), CLOCK);
  return today ? clock : `${then.toLocaleDateString(languageTag(), DAY)} ${clock}`;
}

/** Return how long somebody has waited, in minutes, hours or days; 0 is nobody. */
export function waited(seconds: number): string {
  if (seconds <= 0) return t("time.notWaiting");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return t("time.underMinute");
  if (minutes < 60) return t("time.minutes", { count: minutes });
  if (minutes < 48 * 60) return t("time.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  return t("time.days", { count: Math.floor(minutes / (24 * 60)) });
}
