/** The desk's reducer: what makes a draft stale, and which version it is sent with. */
import { expect, test } from "vitest";
import { Failure } from "../../src/api/failure";
import { type DeskEvent, type DeskState, desk, opened, upToDate } from "../../src/features/console/desk";
import { whatIn, whoIn } from "../../src/features/console/history";
import { caseDetail, conversation, message } from "../samples";

const at = (version: number, ...ids: string[]): DeskEvent => ({
  type: "read",
  detail: caseDetail({
    conversation: conversation({
      version,
      messages: ids.map((id, place) => message({ id, seq: place + 1 })),
    }),
  }),
});
const typed = (text: string): DeskEvent => ({ type: "typed", text });

function after(...events: DeskEvent[]): DeskState {
  return events.reduce(desk, opened(""));
}

test("new words that nobody can have read yet leave a draft at the version before them", () => {
  const state = after(at(3, "m1"), typed("你"), at(4, "m1", "m2"), typed("你好"), at(5, "m1", "m2"));
  expect(state).toMatchObject({ baseVersion: 3, stale: true, refused: false });
  expect(upToDate(state)).toBe(false);
});

test("once they have been seen, a press sends with the version on the screen", () => {
  const state = after(at(3, "m1"), typed("你"), at(4, "m1", "m2"), { type: "seen" });
  expect(state).toMatchObject({ baseVersion: 4, stale: true });
  expect(upToDate(state)).toBe(true);
  expect(upToDate(desk(state, at(5, "m1", "m2", "m3")))).toBe(false);
});

test("nothing is seen on behalf of a box without a draft", () => {
  expect(after(at(3, "m1"), { type: "seen" }).baseVersion).toBeNull();
});

test("without a draft nothing is stale", () => {
  expect(after(at(3, "m1"), at(4, "m1", "m2"))).toMatchObject({ stale: false, baseVersion: null });
});

test("a new version without new words of the visitor does not alarm", () => {
  expect(after(at(3, "m1"), typed("你"), at(4, "m1"))).toMatchObject({ stale: false, baseVersion: 4 });
});

test("after a refusal the next press sends with the version now on the screen", () => {
  const { detail } = at(5, "m1", "m2") as Extract<DeskEvent, { type: "read" }>;
  const state = after(at(3, "m1"), typed("你好"), { type: "working" }, { type: "refused", detail });
  expect(state).toMatchObject({ draft: "你好", baseVersion: 5, stale: true, busy: false });
  expect(state.refused).toBe(true);
  expect(desk(state, at(6, "m1", "m2", "m3"))).toMatchObject({ baseVersion: 5, refused: false });
});

test("an emptied draft forgets its version", () => {
  expect(after(at(3, "m1"), typed("你"), at(4, "m1", "m2"), typed(""), typed("我")).baseVersion).toBe(4);
});

test("a sent answer empties the box and stands in the conversation", () => {
  const sent = message({ id: "p1", seq: 2, author: "counsellor", text: "你好" });
  const state = after(at(3, "m1"), typed("你好"), { type: "sent", message: sent });
  expect(state).toMatchObject({ draft: "", baseVersion: null, sent: true });
  expect(state.detail?.conversation.messages.map(({ id }) => id)).toEqual(["m1", "p1"]);
});

test("a draft kept from before takes the version that it is first seen with", () => {
  expect([at(7, "m1")].reduce(desk, opened("草稿"))).toMatchObject({
    draft: "草稿",
    baseVersion: 7,
    stale: false,
  });
});

test("a failure keeps the draft", () => {
  const failure = new Failure("offline");
  expect(after(at(3, "m1"), typed("你好"), { type: "failed", failure })).toMatchObject({
    draft: "你好",
    failure,
  });
});

test.each([
  ["opened at level in_progress", "建立个案，风险：正在发生"],
  ["level raised to urgent", "风险升到：紧急"],
  ["level lowered from risk to none", "风险降到：无"],
  ["taken", "接手"],
  ["closed: visitor_left", "结束：来访者离开"],
  ["given back: the counsellor was disabled", "放回待接手：原来的辅导员已停用"],
  ["something new", "something new"],
  ["closed: constructor", "结束：constructor"],
])("the history's %s reads %s", (what, words) => {
  expect(whatIn(what)).toBe(words);
});

test("parts of the service have names, people keep theirs", () => {
  expect(["screening", "visitor", "service", "林老师"].map(whoIn)).toEqual([
    "自动筛查",
    "来访者",
    "系统",
    "林老师",
  ]);
});
