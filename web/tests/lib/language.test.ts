/** The page's language: whose wish counts, what every sentence keeps in each, what none of them says. */
import { afterEach, expect, test, vi } from "vitest";
import { helpLines, hoursOf, linesHere, nameOf } from "../../src/lib/helpLines";
import { chooseLanguage, language, languageTag, startLanguage } from "../../src/lib/language";
import { languages, t } from "../../src/lib/messages/t";
import { timeOf, waited } from "../../src/lib/time";

const KEY = "psyllm.language";
afterEach(() => localStorage.clear());

function browserAsksFor(...tags: string[]): void {
  vi.spyOn(navigator, "languages", "get").mockReturnValue(tags);
}

test.each([
  [["zh-CN"], "zh"],
  [["zh-Hant-TW", "en"], "zh"],
  [["en-GB", "zh-CN"], "en"],
  [["fr-FR", "en-US"], "en"],
  [["ug-CN"], "zh"],
  [["english"], "zh"],
  [[], "zh"],
])("a browser that asks for %j gets %s", (tags, wanted) => {
  browserAsksFor(...tags);
  startLanguage();
  expect(language()).toBe(wanted);
});

test("what was chosen on this device counts more than the browser", () => {
  browserAsksFor("zh-CN");
  chooseLanguage("en");
  startLanguage();
  expect([language(), languageTag(), localStorage.getItem(KEY)]).toEqual(["en", "en", "en"]);
  localStorage.setItem(KEY, "nonsense");
  startLanguage();
  expect(languageTag()).toBe("zh-CN");
});

test("without storage the page changes all the same", () => {
  browserAsksFor("zh-CN");
  const refuse = (): never => {
    throw new Error("storage is off");
  };
  vi.stubGlobal("localStorage", { getItem: refuse, setItem: refuse, clear: () => undefined });
  chooseLanguage("en");
  expect(t("help.button")).toBe("Get help");
  startLanguage();
  expect(t("help.button")).toBe("求助电话");
});

test("an unknown language falls back to Chinese", () => {
  document.documentElement.lang = "xx";
  expect(t("help.button")).toBe("求助电话");
});

test("every sentence has the same slots in both languages", () => {
  const slots = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
  const keys = Object.keys(languages.zh) as (keyof typeof languages.zh)[];
  const other = keys.filter((key) => `${slots(languages.zh[key])}` !== `${slots(languages.en[key])}`);
  expect(other).toEqual([]);
});

test("no sentence is missing, and none is in the wrong language", () => {
  // The switch speaks the other language, on purpose.
  const mine = (table: Record<string, string>): [string, string][] =>
    Object.entries(table).filter(([key]) => !key.startsWith("language."));
  expect(
    mine(languages.en).filter(([, text]) => text === "" || /\p{Script=Han}|[，。、？「」]/u.test(text)),
  ).toEqual([]);
  expect(mine(languages.zh).filter(([, text]) => !/\p{Script=Han}|^：$/u.test(text))).toEqual([]);
});

test("no sentence shouts, blames or promises", () => {
  const chinese = /[!！]|保证|一定会好|必须|肯定/;
  const english = /!|\b(must|guarantee\w*|failed|invalid|illegal|error|will be fine|should have)\b/i;
  expect(Object.values(languages.zh).filter((text) => chinese.test(text))).toEqual([]);
  expect(Object.values(languages.en).filter((text) => english.test(text))).toEqual([]);
});

test("no sentence claims that somebody was told", () => {
  const told = /已(经)?(通知|告知|联系)|正在赶来|notified|informed|alerted|on (the|their) way/i;
  for (const table of Object.values(languages)) {
    expect(Object.values(table).filter((text) => told.test(text))).toEqual([]);
  }
});

test("the visitor's sentences are short enough for a tired eye", () => {
  const long = Object.entries(languages.en).filter(([, text]) =>
    text.split(/[.?:;] /).some((sentence) => sentence.split(" ").length > 26),
  );
  expect(long).toEqual([]);
  const lange = Object.entries(languages.zh).filter(([, text]) =>
    text.split(/[。？：；，]/).some((clause) => [...clause].length > 32),
  );
  expect(lange).toEqual([]);
});

test("times and waits are told in English, too", () => {
  chooseLanguage("en");
  const now = new Date(2026, 10, 23, 12, 0);
  expect(timeOf(new Date(2026, 10, 22, 23, 5).toISOString(), now)).toBe("November 22 23:05");
  expect([0, 59, 3600].map(waited)).toEqual(["not waiting", "under a minute", "1 h 0 min"]);
});

test("every help line has its name and hours in both languages", () => {
  for (const line of helpLines) {
    expect(nameOf(line, "en")).toMatch(/^[\x20-\x7e]+$/);
    expect(hoursOf(line, "en")).toMatch(/^[\x20-\x7e]+$/);
    expect(nameOf(line, "zh")).toBe(line.name);
  }
});

test("the place comes from the device's clock, and only where the table has lines", () => {
  expect(linesHere("Asia/Taipei")?.lines.map((line) => line.number)).toEqual(["1925"]);
  const american = ["America/Chicago", "America/Indiana/Knox", "US/Eastern", "Pacific/Honolulu"];
  expect(american.map((zone) => linesHere(zone)?.region)).toEqual(["US", "US", "US", "US"]);
  expect([linesHere("America/Toronto"), linesHere("America/Sao_Paulo")]).toEqual([null, null]);
  expect(linesHere("Asia/Hong_Kong")?.lines.length).toBeGreaterThan(1);
  expect([linesHere("Asia/Shanghai"), linesHere("Europe/Paris")]).toEqual([null, null]);
});
