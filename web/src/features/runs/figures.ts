/** Numbers of trainings in the words of the page. */
import { languageTag } from "../../lib/language";

/** Return a number with at most so many digits after the point, grouped as the page's language does. */
export function figure(value: number, digits = 0): string {
  return value.toLocaleString(languageTag(), { maximumFractionDigits: digits });
}

/** Return a loss with three digits after the point, a dash for none. */
export function loss(value: number | null): string {
  if (value === null) return "–";
  return value.toLocaleString(languageTag(), { minimumFractionDigits: 3, maximumFractionDigits: 3 });
}

/** Return a share in percent. */
export function percent(share: number): string {
  return share.toLocaleString(languageTag(), { style: "percent", maximumFractionDigits: 0 });
}

/** Return a duration as 3:07 or 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Return bytes in MiB or GiB. */
export function memory(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib < 10_240 ? `${figure(mib)} MiB` : `${figure(mib / 1024, 1)} GiB`;
}
