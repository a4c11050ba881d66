/** The visitor writes while somebody writes at the desk: what counts as read, and what is refused until then. */
import { act, fireEvent, screen } from "@testing-library/react";
import type { UserEvent } from "@testing-library/user-event";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { expectNoViolations } from "../axe";
import { json, problem } from "../fakeServer";
import { message } from "../samples";
import {
  ANSWER,
  answerLater,
  backToTheCase,
  bases,
  box,
  CASE,
  CLOSE,
  gone,
  held,
  holdTheClock,
  look,
  mine,
  moved,
  onlyNewest,
  open,
  openDesk,
  openMine,
  openWithDraft,
  own,
  read,
  said,
  send,
  server,
  startServer,
  talk,
  toTheList,
} from "./atDesk";

beforeEach(startServer);

test("when the visitor wrote meanwhile, the new words are shown, the draft stays, and once they can be read the press sends", async () => {
  const user = await openWithDraft("你好，我在。");
  onlyNewest(5);
  server.on(CASE, () => json(moved));
  await user.click(send());
  expect(await screen.findByText("我还在。", { exact: false })).toBeDefined();
  expect(said()).toEqual(["没有发出。", expect.stringContaining("来访者刚刚又写了新的话")]);
  expect(await held()).toBe("你好，我在。");
  await expectNoViolations();
  await user.dblClick(send());
  expect(bases()).toEqual([4, 4, 4]);
  expect(screen.queryByText(/可以直接按/)).toBeNull();
  await read();
  expect(said()).toEqual(["没有发出。"]);
  expect(screen.getByText(/可以直接按/)).toBeDefined();
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(bases()).toEqual([4, 4, 4, 5]);
});

test("new words that have stood on the screen a while cost no second press", async () => {
  const user = await openWithDraft("你好，我在。");
  server.on(CASE, () => json(moved));
  await look();
  expect(said()).toEqual([expect.stringContaining("来访者刚刚又写了新的话")]);
  expect(screen.queryByText(/可以直接按/)).toBeNull();
  await read();
  expect(screen.getByText(/可以直接按/)).toBeDefined();
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(bases()).toEqual([5]);
});

test("what came while the page was left is new to a draft", async () => {
  const user = await openWithDraft("你好，我在。");
  onlyNewest(5);
  await toTheList(user);
  server.on(CASE, () => json(moved));
  await backToTheCase(user);
  await box();
  await user.click(send());
  expect(bases()).toEqual([4]);
  expect(said()).toEqual(["没有发出。", expect.stringContaining("来访者刚刚又写了新的话")]);
});

test("a closing that was begun does not end the case over words that came while the page was left", async () => {
  const user = await openMine();
  server.on(CLOSE, () => problem(401));
  await close(user);
  server.on(CASE, () => json(moved));
  await user.type(await screen.findByLabelText("姓名"), "林老师");
  await user.type(screen.getByLabelText("密码"), "right{Enter}");
  await user.click(await screen.findByRole("button", { name: "确定结束" }));
  expect(server.of(CLOSE).map(({ body }) => body["base_version"])).toEqual([4, 4]);
});

test("a look from before the case was taken does not give it back", async () => {
  holdTheClock();
  const user = openDesk("/desk/cases/case-000001");
  await screen.findByRole("button", { name: "接手这个个案" });
  const arrive = answerLater(CASE);
  await look();
  await user.click(screen.getByRole("button", { name: "接手这个个案" }));
  await box();
  await act(async () => arrive(json(open)));
  await act(() => vi.advanceTimersByTimeAsync(100));
  expect(screen.queryByRole("button", { name: "接手这个个案" })).toBeNull();
});

test("in a hidden tab nothing is read", async () => {
  const shown = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  onTestFinished(() => shown.mockRestore());
  const user = await openWithDraft("你好，我在。");
  server.on(CASE, () => json(moved));
  await look();
  await read();
  shown.mockReturnValue("visible");
  act(() => void document.dispatchEvent(new Event("visibilitychange")));
  onlyNewest(5);
  await user.click(send());
  expect(bases()).toEqual([4]);
  await read();
  await user.click(send());
  expect(bases()).toEqual([4, 5]);
});

test("a key held down is one press", async () => {
  await openWithDraft("你好，我在。");
  onlyNewest(5);
  server.on(CASE, () => json(moved));
  const field = await box();
  fireEvent.keyDown(field, { key: "Enter", ctrlKey: true });
  await screen.findByText("没有发出。");
  await read();
  fireEvent.keyDown(field, { key: "Enter", ctrlKey: true, repeat: true });
  await look();
  expect(bases()).toEqual([4]);
});

test("a visitor who writes line after line can be reached", async () => {
  const user = await openWithDraft("先离开窗边。");
  let lines = 1;
  const line = (n: number) => message({ id: `l${n}`, seq: 3 + n, text: `第${n}句` });
  const now = () => 4 + lines;
  server.on(CASE, () => {
    const messages = [...talk.messages, ...Array.from({ length: lines }, (_, n) => line(n))];
    return json({ ...mine, conversation: { ...mine.conversation, version: now(), messages } });
  });
  server.on(ANSWER, ({ body }) =>
    body["base_version"] === now() ? json({ ...own, text: "先离开窗边。" }, 201) : problem(409, "PSY-503"),
  );
  for (let presses = 0; presses < 8 && !screen.queryByText("已发出。"); presses++) {
    await user.click(send());
    await act(() => vi.advanceTimersByTimeAsync(900));
    if (presses % 2 === 1) lines += 1;
  }
  expect(screen.getByText("已发出。")).toBeDefined();
});

test("a second message of the visitor is said anew", async () => {
  await openWithDraft("你好，我在。");
  server.on(CASE, () => json(moved));
  await look();
  const first = screen.getByRole("alert");
  const more = message({ id: "m9", seq: 4, text: "我在楼顶" });
  const messages = [...moved.conversation.messages, more];
  server.on(CASE, () => json({ ...moved, conversation: { ...moved.conversation, version: 6, messages } }));
  await look();
  expect(screen.getByRole("alert")).not.toBe(first);
});

/** Fill in the form that ends the case, and press. */
async function close(user: UserEvent) {
  await user.click(screen.getByRole("button", { name: "结束这个个案" }));
  await user.click(screen.getByRole("radio", { name: "已移交急救或警方" }));
  await user.type(screen.getByRole("textbox", { name: /备注/ }), "120 已到");
  await user.click(screen.getByRole("button", { name: "确定结束" }));
}

test("a refused close speaks of no reply, and words that nobody has read don't go with it", async () => {
  const user = await openWithDraft("草稿");
  server.on(CASE, () => json(moved));
  await look();
  server.on(CLOSE, () => problem(409, "PSY-503"));
  await close(user);
  expect(await screen.findByText("对话刚刚有变化。看一眼最新的内容，再试一次。")).toBeDefined();
  expect(screen.queryByText("没有发出。")).toBeNull();
  expect(server.of(CLOSE)[0]?.body["base_version"]).toBe(4);
  await user.click(screen.getByRole("button", { name: "先不结束" }));
  expect(screen.queryByText(/再试一次/)).toBeNull();
});

test("closing takes nothing away that was said of a reply, and its note stays when it is put off", async () => {
  const user = await openWithDraft("草稿");
  server.on(ANSWER, () => problem(500));
  await user.click(send());
  server.on(CLOSE, () => problem(409, "PSY-503"));
  await close(user);
  await user.click(screen.getByRole("button", { name: "先不结束" }));
  expect(said()).toEqual([expect.stringContaining("再试一次")]);
  await toTheList(user);
  await backToTheCase(user);
  await user.click(await screen.findByRole("button", { name: "结束这个个案" }));
  const note = screen.getByRole("textbox", { name: /备注/ }) as HTMLTextAreaElement;
  expect(note.value).toBe("120 已到");
});

test("the note of a closing outlives a session that ran out; a closing that arrived leaves no failure", async () => {
  const user = await openWithDraft("草稿");
  server.on(CLOSE, () => problem(401));
  await close(user);
  await user.type(await screen.findByLabelText("姓名"), "林老师");
  await user.type(screen.getByLabelText("密码"), "right{Enter}");
  expect(((await screen.findByRole("textbox", { name: /备注/ })) as HTMLTextAreaElement).value).toBe(
    "120 已到",
  );
  server.on(CLOSE, gone);
  await user.click(screen.getByRole("button", { name: "确定结束" }));
  expect(await screen.findByText(/再试一次/)).toBeDefined();
  server.on(CASE, () => json({ ...mine, case: { ...mine.case, state: "closed" } }));
  await look();
  expect(screen.getByText("这个个案已经结束。")).toBeDefined();
  expect(said()).toEqual(["你写的这些没有发出："]);
});
