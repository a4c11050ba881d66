/** The chat's reducer: what each event makes of the conversation. */
import { expect, test } from "vitest";
import { Failure } from "../../src/api/failure";
import type { RunEvent } from "../../src/api/types";
import {
  awaitsPerson,
  type ChatEvent,
  type ChatState,
  chat,
  isForTheModel,
  mayAskAnother,
  nothing,
} from "../../src/features/chat/state";
import { conversation, libraryAnswer, message, modelAnswer, notice, run, turn, urgentTurn } from "../samples";

const generated = { id: "r2", kind: "generated", state: "queued" } as const;

function after(...events: ChatEvent[]): ChatState {
  return events.reduce(chat, nothing);
}

function streamed(event: RunEvent, runId = "r1"): ChatEvent {
  return { type: "streamed", runId, event };
}

const said: ChatEvent = { type: "said", turn: turn(), title: "睡不着" };
const answered: ChatEvent[] = [
  said,
  streamed({ name: "message", message: libraryAnswer }),
  streamed({ name: "done", message_id: "m2", version: 3 }),
];
const sentence = (text: string): ChatEvent => streamed({ name: "sentence", text, message_id: "m3" }, "r2");

test("a first message opens the conversation and starts the answer", () => {
  const state = after({ type: "sending" }, said);
  expect(state.conversation).toMatchObject({ id: "c1", title: "睡不着", owner: "bot", case: null });
  expect(state.answering).toMatchObject({ runId: "r1", kind: "library", text: "" });
  expect(state.sending).toBe(false);
});

test("a library answer comes whole, and done takes the waiting away", () => {
  const state = after(...answered);
  expect(state.messages.map(({ id }) => id)).toEqual(["m1", "m2"]);
  expect(state.answering).toBeNull();
  expect(state.conversation?.version).toBe(3);
});

test("sentences add up, and stay as a message when the run is done", () => {
  const state = after(
    ...answered,
    { type: "answering", run: generated },
    sentence("夜里很长。"),
    sentence("慢慢来。"),
  );
  expect(state.answering?.text).toBe("夜里很长。慢慢来。");
  const end = chat(state, streamed({ name: "done", message_id: "m3", version: 4 }, "r2"));
  expect(end.messages[2]).toMatchObject({
    id: "m3",
    author: "model",
    text: "夜里很长。慢慢来。",
    can_rate: false,
  });
});

test("a replaced answer is gone without a trace, and the page says why", () => {
  const replacement = message({ id: "m4", seq: 4, author: "library" });
  const state = after(
    ...answered,
    { type: "answering", run: generated },
    sentence("不该说的话。"),
    streamed({ name: "replaced", message: replacement, reason: "guard" }, "r2"),
    streamed({ name: "done", message_id: "m4", version: 4 }, "r2"),
  );
  expect(JSON.stringify(state)).not.toContain("不该说的话");
  expect(state.messages.map(({ id }) => id)).toEqual(["m1", "m2", "m4"]);
  expect(state.remark).toBe("replaced");
});

test("a replaced answer is also taken from what a look in between had brought", () => {
  const partial = conversation({ messages: [message(), libraryAnswer, { ...modelAnswer, text: "不该" }] });
  const state = after(
    ...answered,
    { type: "answering", run: generated },
    sentence("不该"),
    { type: "read", conversation: partial },
    streamed({ name: "replaced", message: notice, reason: "timeout" }, "r2"),
  );
  expect(state.messages.map(({ id }) => id)).not.toContain("m3");
  expect(state.remark).toBe("replacedLate");
});

test("events of another run change nothing", () => {
  const state = after(said);
  expect(chat(state, streamed({ name: "message", message: modelAnswer }, "r9"))).toBe(state);
});

test("stopping keeps what was released and says so", () => {
  const state = after(
    ...answered,
    { type: "answering", run: generated },
    sentence("夜里很长。"),
    { type: "stopping" },
    streamed({ name: "state", state: "stopped" }, "r2"),
    streamed({ name: "done", message_id: "m3", version: 4 }, "r2"),
  );
  expect(state.remark).toBe("stopped");
  expect(state.messages[2]?.text).toBe("夜里很长。");
});

test("a line lost for good keeps what was released", () => {
  const state = after(...answered, { type: "answering", run: generated }, sentence("夜里很长。"), {
    type: "lost",
  });
  expect(state.answering).toBeNull();
  expect(state.messages[2]?.text).toBe("夜里很长。");
});

test("writing on while an answer comes keeps what was released of it", () => {
  const more = turn({ message: message({ id: "m5", seq: 9, text: "还有" }), run: null });
  const state = after(...answered, { type: "answering", run: generated }, sentence("夜里很长。"), {
    type: "said",
    turn: more,
    title: "",
  });
  expect(state.messages.map(({ text }) => text)).toContain("夜里很长。");
  expect(state.answering).toBeNull();
});

test("an urgent message brings the card first, the notice, and no answer", () => {
  const state = after({ type: "said", turn: urgentTurn, title: "x" });
  expect(state).toMatchObject({ helpFirst: true, answering: null });
  expect(state.conversation).toMatchObject({ help: true, case: "open" });
  expect(state.messages.map(({ author }) => author)).toEqual(["visitor", "notice"]);
});

test.each([
  ["risk", false],
  ["urgent", true],
  ["in_progress", true],
] as const)("a conversation read at level %s has the card first: %s", (level, first) => {
  const state = after({ type: "read", conversation: conversation({ level, help: true }) });
  expect(state.helpFirst).toBe(first);
});

test("a retry that gives the same turn shows one message", () => {
  expect(after(said, said).messages).toHaveLength(1);
});

test("reading takes up a run that is going, and leaves one alone that is being followed", () => {
  const going = after({ type: "read", conversation: conversation({ running: run }) });
  expect(going.answering?.runId).toBe("r1");
  const half = after(...answered, { type: "answering", run: generated }, sentence("夜里很长。"));
  const read = chat(half, { type: "read", conversation: conversation({ running: null }) });
  expect(read.answering?.text).toBe("夜里很长。");
});

test("who asked for a person waits for one, and a person who came makes the program silent", () => {
  const state = after(...answered, { type: "asked" });
  expect(state.conversation?.case).toBe("open");
  expect(awaitsPerson(state)).toBe(true);
  const taken = chat(state, {
    type: "read",
    conversation: conversation({ owner: "person", case: "taken" }),
  });
  expect(awaitsPerson(taken)).toBe(true);
  expect(mayAskAnother(taken)).toBe(false);
});

test("another view needs a calm level, the program, an answer, and nothing in the making", () => {
  const calm = after(...answered);
  expect(mayAskAnother(calm)).toBe(true);
  expect(mayAskAnother(after(said))).toBe(false);
  expect(mayAskAnother(chat(calm, { type: "sending" }))).toBe(false);
  const risk = chat(calm, {
    type: "read",
    conversation: conversation({ level: "risk", messages: [libraryAnswer] }),
  });
  expect(mayAskAnother(risk)).toBe(false);
  for (const change of [{ level: "risk" }, { owner: "person" }] as const) {
    const dangerous = after({ type: "said", turn: turn({ ...change, run: null, notice }), title: "" });
    expect(mayAskAnother(dangerous)).toBe(false);
  }
  expect(mayAskAnother(nothing)).toBe(false);
});

test("what a counsellor judged a false alarm gets no other view, the next message does", () => {
  const closed = conversation({ case: "closed", messages: [message(), notice], may_view: false });
  const cleared = chat(after(...answered), { type: "read", conversation: closed });
  expect(mayAskAnother(cleared)).toBe(false);
  const more = {
    ...said,
    turn: turn({ message: message({ id: "m9", seq: 9 }), run: null, notice: { ...notice, seq: 10 } }),
  };
  expect(mayAskAnother(chat(cleared, more))).toBe(true);
});

test("a model writes only where half of the letters of the newest message are Chinese, and none Japanese or Korean", () => {
  const saying = (...texts: string[]) => {
    const messages = texts.map((text, index) => message({ id: `v${index}`, author: "visitor", text }));
    return chat(nothing, {
      type: "read",
      conversation: conversation({ messages: [...messages, libraryAnswer] }),
    });
  };
  for (const text of ["晚上睡不着", "我最近 feel 很难过", "卡尔・荣格的书我看不懂", "？？？", "12345"]) {
    expect(isForTheModel(saying("I can't sleep", text))).toBe(true);
  }
  const japanese = [
    "最近毎日憂鬱で眠れない",
    "最近仕事が辛い。毎晩不安感で一杯",
    "最近ストレス過多",
    "最近ｽﾄﾚｽ過多",
  ];
  for (const text of ["I feel so sad lately", "I feel 难过", ...japanese, "最近心情 우울 不好"]) {
    expect(isForTheModel(saying("晚上睡不着", text))).toBe(false);
  }
});

test("a failure stays until the next try, and leaving forgets everything", () => {
  const failed = after(said, { type: "failed", doing: "send", failure: new Failure("offline") });
  expect(failed).toMatchObject({ sending: false, failure: { doing: "send" } });
  expect(chat(failed, { type: "sending" }).failure).toBeNull();
  expect(chat(failed, { type: "calmed" }).failure).toBeNull();
  expect(chat(failed, { type: "left" })).toEqual(nothing);
});

test("a reading that set out before the wish for a person does not hide the case", () => {
  const asked = after(...answered, { type: "asked" });
  const late = chat(asked, { type: "read", conversation: conversation({ case: null }) });
  expect(late.conversation?.case).toBe("open");
  expect(awaitsPerson(late)).toBe(true);
  const other = chat(asked, { type: "read", conversation: conversation({ id: "c9", case: null }) });
  expect(other.conversation?.case).toBeNull();
});
