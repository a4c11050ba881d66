/** A decision in the making: what it lacks, what is sent, how texts are changed. */
import { expect, test } from "vitest";
import { decisionOf, draftOf, dropDraft, keepDraft, lackOf, withText } from "../../src/features/review/draft";
import { partsOf } from "../../src/features/review/parts";
import { reviewItem } from "./samples";

test("a draft lacks a decision, a reason, or a change, and says which", () => {
  const item = reviewItem();
  const fresh = draftOf(item);
  expect(lackOf(fresh, item)).toBe("verdict");
  expect(lackOf({ ...fresh, verdict: "reject" }, item)).toBe("reason");
  expect(lackOf({ ...fresh, verdict: "edit" }, item)).toBe("same");
  expect(lackOf({ ...fresh, verdict: "reject", reason: "harmful" }, item)).toBeNull();
  expect(lackOf({ ...fresh, verdict: "accept" }, item)).toBeNull();
});

test("that a text was rightly left out needs no reason", () => {
  const item = reviewItem({ dropped_for: "little_chinese" });
  expect(lackOf({ ...draftOf(item), verdict: "reject" }, item)).toBeNull();
});

test("only an edit sends texts, only a rejection a reason", () => {
  const item = reviewItem();
  const draft = { ...withText(draftOf(item), "turns", 1, "你愿意多说一点吗？"), note: " 语气 " };
  expect(decisionOf({ ...draft, verdict: "edit", reason: "harmful" })).toEqual({
    verdict: "edit",
    reason: null,
    note: "语气",
    edited: { title: "", text: "", turns: ["我很难受", "你愿意多说一点吗？"], answers: [] },
  });
  expect(decisionOf({ ...draft, verdict: "accept", reason: "harmful" })).toMatchObject({
    edited: null,
    reason: null,
  });
});

test("a draft is kept by text, and an own decision is where changing it begins", () => {
  const item = reviewItem();
  keepDraft(item.item, { ...draftOf(item), note: "没写完" });
  expect(draftOf(item).note).toBe("没写完");
  dropDraft(item.item);
  expect(draftOf(item).note).toBe("");
  const own = {
    verdict: "reject" as const,
    reason: "broken" as const,
    note: "",
    edited: null,
    decided_at: "2026-11-25T08:00:00Z",
  };
  expect(draftOf(reviewItem({ own }))).toMatchObject({ verdict: "reject", reason: "broken" });
});

test("the parts of a question are its texts in reading order; what it never had is no part", () => {
  const item = reviewItem({ kind: "question", title: "睡不着", text: "", turns: [], answers: ["甲", "乙"] });
  const parts = partsOf(item, { title: "睡不着", text: "", turns: [], answers: ["甲", ""] });
  expect(parts.map((part) => part.name)).toEqual(["来访者的提问", "回答 1", "回答 2"]);
  expect(parts.map((part) => part.text)).toEqual(["睡不着", "甲", ""]);
});
