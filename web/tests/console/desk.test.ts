/** The desk's reducer: what makes a draft stale, and which version it is sent with. */
import { expect, test } from "vitest";
import { Failure } from "../../src/api/failure";
import {
  type DeskEvent,
  type DeskState,
  desk,
  NO_DRAFT,
  opened,
  toSpeak,
  unseen,
} from "../../src/features/console/desk";
import { whatIn, whoIn } from "../../src/features/console/history";
import { caseDetail, caseSummary, conversation, message } from "../samples";

const detailAt = (version: number, ...ids: string[]) =>
  caseDetail({
    conversation: conversation({
      version,
      messages: ids.map((id, place) =>
        message({ id, seq: place + 1, author: id.startsWith("m") ? "visitor" : "counsellor" }),
      ),
    }),
  });
const at = (version: number, ...ids: string[]): DeskEvent => ({
  type: "read",
  detail: detailAt(version, ...ids),
});
const typed = (text: string): DeskEvent => ({ type: "typed", text });
const reply = (words: string, seq = 2) => message({ id: "p1", seq, author: "counsellor", text: words });
const sent = (words: string): DeskEvent => ({ type: "sent", message: reply(words) });
/** A look that finds one's own words after the visitor's first. */
const withReply = (words: string, seq = 2): DeskEvent => ({
  type: "read",
  detail: caseDetail({
    conversation: conversation({ version: 4, messages: [message(), reply(words, seq)] }),
  }),
});

/** Press with what is in the box. */
function press(state: DeskState): DeskState {
  return desk(state, { type: "pressed", spoken: toSpeak(state) });
}
const fails = (state: DeskState) =>
  desk(state, { type: "failed", failure: FAILURE, key: state.spoken?.key ?? null });
const refuse = (state: DeskState) => desk(state, { type: "refused", key: state.spoken?.key ?? "" });
const FAILURE = new Failure("offline");

function after(...events: DeskEvent[]): DeskState {
  return events.reduce(desk, opened(NO_DRAFT));
}

/** The version with which a press would go out now. */
const base = (state: DeskState) => state.seen?.version;

test("new words that nobody can have read yet leave a press at the version before them", () => {
  const state = after(at(3, "m1"), typed("你"), at(4, "m1", "m2"), typed("你好"), at(5, "m1", "m2"));
  expect(state).toMatchObject({ wrote: true, refused: false });
  expect([base(state), unseen(state)]).toEqual([3, true]);
});

test("once they have been seen, a press goes out with the version on the screen", () => {
  const read = [at(3, "m1"), typed("你"), at(4, "m1", "m2"), at(5, "m1", "m2")];
  const state = after(...read, { type: "seen", newest: "m2" });
  expect(state.wrote).toBe(true);
  expect([base(state), unseen(state)]).toEqual([5, false]);
  expect(unseen(desk(state, at(6, "m1", "m2", "m3")))).toBe(true);
});

test("words that came after those that were read are still to be read", () => {
  const state = after(at(3, "m1"), at(4, "m1", "m2"), at(5, "m1", "m2", "m3"), {
    type: "seen",
    newest: "m2",
  });
  expect([base(state), unseen(state)]).toEqual([3, true]);
});

test("emptying the box and filling it again reads nothing", () => {
  const state = after(at(3, "m1"), typed("你"), at(4, "m1", "m2"), typed(""), typed("你"));
  expect([base(state), unseen(state)]).toEqual([3, true]);
});

test("words that came without a draft are no alarm to who begins one", () => {
  const state = after(at(3, "m1"), at(4, "m1", "m2"), typed("你"), at(5, "m1", "m2"));
  expect([state.wrote, unseen(state)]).toEqual([true, true]);
  const read = after(at(3, "m1"), at(4, "m1", "m2"), { type: "seen", newest: "m2" }, typed("你"));
  expect([read.wrote, unseen(read)]).toEqual([false, false]);
});

test("what is no new word of the visitor, a level or a reply of one's own, needs no reading", () => {
  const state = after(at(3, "m1"), typed("你"), at(4, "m1"), at(5, "m1", "p1"));
  expect(state).toMatchObject({ wrote: false });
  expect([base(state), unseen(state)]).toEqual([5, false]);
});

test("a refused press says so until the next one, whatever is read or written meanwhile", () => {
  const state = refuse(press(after(at(3, "m1"), typed("你好"))));
  expect(state).toMatchObject({ draft: "你好", refused: true, refusals: 1 });
  const later = [at(4, "m1", "m2"), typed("你好。"), at(5, "m1", "m2", "m3")].reduce(desk, state);
  expect(later).toMatchObject({ refused: true, wrote: true });
  expect(base(later)).toBe(3);
  expect(desk(later, { type: "working" })).toMatchObject({ refused: true, busy: true });
  expect(press(later)).toMatchObject({ refused: false, refusals: 1 });
});

test("why a press came to nothing stays through looks, why a look did goes with the next", () => {
  const failed = fails(press(after(at(3, "m1"), typed("你好"))));
  expect(desk(failed, at(3, "m1"))).toMatchObject({ draft: "你好", unsent: FAILURE });
  expect(desk(failed, typed("你好。")).unsent).toBeNull();
  expect(press(failed).unsent).toBeNull();
  const lost = after(at(3, "m1"), { type: "working" }, { type: "lost", failure: FAILURE });
  expect(lost).toMatchObject({ lost: FAILURE, unsent: null, busy: true });
  expect(desk(lost, at(3, "m1")).lost).toBeNull();
});

test("a sent answer empties the box and stands in the conversation", () => {
  const refused = refuse(press(after(at(3, "m1"), typed(" 你好 "))));
  const state = desk(press(refused), sent("你好"));
  expect(state).toMatchObject({
    draft: "",
    wrote: false,
    refused: false,
    refusals: 0,
    sent: true,
    spoken: null,
  });
  expect(state.detail?.conversation.messages.map(({ id }) => id)).toEqual(["m1", "p1"]);
});

test("what was typed while a reply was on its way stays in the box", () => {
  const pressed = press(after(at(3, "m1"), typed("你好")));
  expect(desk(desk(pressed, typed("你好。药在哪")), sent("你好")).draft).toBe("你好。药在哪");
});

test("the same words go out under one key until they have arrived", () => {
  const first = press(after(at(3, "m1"), typed("你好")));
  expect(press(fails(first)).spoken).toEqual(first.spoken);
  expect(toSpeak(desk(first, typed("你好。"))).key).not.toBe(first.spoken?.key);
  const cutAndPasted = press([typed(""), typed("你好")].reduce(desk, first));
  expect(cutAndPasted.spoken).toEqual(first.spoken);
  expect(press(desk(desk(first, sent("你好")), typed("你好"))).spoken?.key).not.toBe(first.spoken?.key);
});

test("a reply whose answer was lost is known when a look finds it, also on a page opened anew", () => {
  const pressed = press(after(at(3, "m1"), typed("你好")));
  const lost = fails(pressed);
  expect(desk(lost, withReply("你好"))).toMatchObject({ draft: "", sent: true, unsent: null, spoken: null });
  expect(desk(lost, withReply("别的"))).toMatchObject({ draft: "你好", sent: false, unsent: FAILURE });
  const { draft, seen, spoken } = lost;
  const again = opened({ text: draft, seen, spoken });
  expect(desk(again, withReply("你好"))).toMatchObject({ draft: "", sent: true, unknown: false });
  expect(desk(again, at(3, "m1"))).toMatchObject({ draft: "你好", sent: false, unknown: true });
  expect(opened({ text: "", seen, spoken }).unknown).toBe(false);
});

test("a reply that a look has found is not called failed or refused by its own late answer", () => {
  const pressed = press(after(at(3, "m1"), typed("你好")));
  const found = desk(pressed, withReply("你好"));
  const key = pressed.spoken?.key ?? "";
  expect(desk(found, { type: "failed", failure: FAILURE, key })).toEqual(found);
  expect(desk(found, { type: "refused", key })).toEqual(found);
});

test("the same words of the visitor are no reply", () => {
  const lost = fails(press(after(at(3, "m1"), typed("我在"))));
  const messages = [message({ id: "m1" }), message({ id: "m2", seq: 2, text: "我在" })];
  const detail = caseDetail({ conversation: conversation({ version: 4, messages }) });
  expect(desk(lost, { type: "read", detail })).toMatchObject({ draft: "我在", unsent: FAILURE });
});

test("one's own reply moves the version that has been seen, once", () => {
  const pressed = press(after(at(3, "m1"), typed("你好")));
  expect(base(desk(pressed, sent("你好")))).toBe(4);
  expect(base([withReply("你好"), sent("你好")].reduce(desk, pressed))).toBe(4);
});

test("one's own older words are not taken for those that are on their way", () => {
  const pressed = press(after(withReply("在吗"), typed("在吗")));
  const lost = fails(pressed);
  expect(desk(lost, withReply("在吗"))).toMatchObject({ draft: "在吗", unsent: FAILURE });
});

test("what a press came to is forgotten once the case is in other hands", () => {
  const failed = fails(press(after(at(3, "m1"), typed("你好"))));
  const taken = caseDetail({ case: caseSummary({ state: "taken", assignee: "王老师" }) });
  expect(desk(failed, { type: "read", detail: taken })).toMatchObject({ unsent: null, draft: "你好" });
});

test("a draft kept from before knows what its writer had seen", () => {
  const kept = opened({ text: "草稿", seen: { version: 5, newest: "m1" }, spoken: null });
  const same = desk(kept, at(7, "m1", "p1"));
  expect([base(same), same.wrote, unseen(same)]).toEqual([7, false, false]);
  const other = desk(kept, at(7, "m1", "m2"));
  expect([base(other), other.wrote, unseen(other)]).toEqual([5, true, true]);
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
