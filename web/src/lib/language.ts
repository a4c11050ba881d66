/**
 * The language of the page: what was chosen on this device, else the browser's, else Chinese.
 *
 * It lives in the `lang` attribute of the page, which screen readers follow, too.
 * Works without storage; then the choice lasts until the page is loaded again.
 */
import { useSyncExternalStore } from "react";

export type Language = "zh" | "en";

const KEY = "psyllm.language";
const TAGS: Record<Language, string> = { zh: "zh-CN", en: "en" };
const waiting = new Set<() => void>();

/** Return the language that the page is in. */
export function language(): Language {
  return languageOf(document.documentElement.lang) ?? "zh";
}

/** Return the language's tag for `lang` and for formats of dates. */
export function languageTag(): string {
  return TAGS[language()];
}

/** Put the page into the language that its reader is likely to read best. */
export function startLanguage(): void {
  const wished = [chosen(), ...navigator.languages.map(languageOf)];
  apply(wished.find((one) => one !== null) ?? "zh");
}

/** Put the page into another language and remember that on this device. */
export function chooseLanguage(wanted: Language): void {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // Storage may be switched off; the page changes all the same.
  }
  apply(wanted);
}

/** Return the page's language and follow it. */
export function useLanguage(): Language {
  return useSyncExternalStore((changed) => {
    waiting.add(changed);
    return () => waiting.delete(changed);
  }, language);
}

function apply(wanted: Language): void {
  document.documentElement.lang = TAGS[wanted];
  for (const changed of waiting) changed();
}

function chosen(): Language | null {
  try {
    return languageOf(localStorage.getItem(KEY) ?? "");
  } catch {
    return null;
  }
}

function languageOf(tag: string): Language | null {
  const name = tag.toLowerCase().split("-")[0];
  return name === "zh" || name === "en" ? name : null;
}
