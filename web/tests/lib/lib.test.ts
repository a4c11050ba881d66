/** The small pure parts: words, times, sentences, keys, help lines. */
import { expect, test } from "vitest";
import { checked, firstLines, helpLines, otherLines } from "../../src/lib/helpLines";
import { t } from "../../src/lib/messages/t";
import { keyFor, newRequestKey } from "../../src/lib/requestKey";
import { paragraphsOf } from "../../src/lib/sentences";
import { timeOf, waited } from "../../src/lib/time";

test("a message gets its values, and a value that looks like a slot stays as it is", () => {
  expect(t("source.found", { title: "{name}" })).toBe("和你说的相近的一篇：《{name}》");
  expect(t("ask.send")).toBe("写好了，发送");
});

test("a text is cut into paragraphs and sentences without losing a character", () => {
  const text = "你好。今天还好吗？“有点累……”他说。\n\n第二段没有句号";
  expect(paragraphsOf(text)).toEqual([
    ["你好。", "今天还好吗？", "“有点累……”", "他说。"],
    ["第二段没有句号"],
  ]);
});

test("a text that grows at its end keeps its earlier sentences", () => {
  const whole = "夜里很长。你在照顾自己。明天再说。";
  const before = paragraphsOf(whole.slice(0, 12))[0] ?? [];
  expect(paragraphsOf(whole)[0]?.slice(0, before.length)).toEqual(before);
});

test("a sentence mark alone is kept", () => {
  expect(paragraphsOf("。。。")).toEqual([["。。。"]]);
  expect(paragraphsOf("  ")).toEqual([]);
});

test("times of today are short, others carry the day, nonsense is empty", () => {
  const now = new Date(2026, 10, 23, 12, 0);
  expect(timeOf(new Date(2026, 10, 23, 2, 13).toISOString(), now)).toBe("02:13");
  expect(timeOf(new Date(2026, 10, 22, 23, 5).toISOString(), now)).toBe("11月22日 23:05");
  expect(timeOf("", now)).toBe("");
});

test("waits are told in words at their edges", () => {
  expect([0, 59, 60, 3599, 3600, 2 * 86400].map(waited)).toEqual([
    "没有在等",
    "不到 1 分钟",
    "1 分钟",
    "59 分钟",
    "1 小时 0 分",
    "2 天",
  ]);
});

test("the same words keep their key, other words get another", () => {
  const first = keyFor("你好", null);
  expect(keyFor("你好", first)).toBe(first);
  expect(keyFor("你好。", first).key).not.toBe(first.key);
});

test("keys are made without randomUUID, too, in the form that the server takes", () => {
  const { randomUUID } = crypto;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  const keys = [newRequestKey(), newRequestKey()];
  Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
  expect(keys[0]).not.toBe(keys[1]);
  for (const key of [...keys, newRequestKey()]) expect(key).toMatch(/^[A-Za-z0-9_-]{8,64}$/);
});

test("ambulance, hotline and police stand first, every other line in a region", () => {
  expect(firstLines.map((line) => line.number)).toEqual(["120", "12356", "110"]);
  const others = otherLines().flatMap(([, lines]) => lines);
  expect(others.length + firstLines.length).toBe(helpLines.length);
});

test("every line can be dialled and says when it was looked up", () => {
  for (const line of helpLines) {
    expect(line.tel).toMatch(/^\+?\d{3,15}$/);
    expect(line.seen_on).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(line.hours).not.toBe("");
  }
  expect(checked().date).toMatch(/^\d{4}-/);
});
