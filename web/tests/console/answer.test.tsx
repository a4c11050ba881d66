/** A reply at the desk: what goes out, and that nothing typed is lost. */
import { act, fireEvent, screen, within } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { expectNoViolations } from "../axe";
import { json, problem } from "../fakeServer";
import { caseSummary } from "../samples";
import {
  ANSWER,
  answered,
  answerLater,
  backToTheCase,
  bases,
  box,
  CASE,
  gone,
  held,
  look,
  mine,
  moved,
  onlyNewest,
  openMine,
  openWithDraft,
  own,
  said,
  send,
  server,
  startServer,
  toTheList,
} from "./atDesk";

beforeEach(startServer);

test("an answer goes out with the version that was on the screen", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(server.of(ANSWER)[0]?.body).toMatchObject({ text: "你好，我在。", base_version: 4 });
  expect(await held()).toBe("");
});

test("words that were not sent stay to be copied when the case is in other hands", async () => {
  const user = await openWithDraft("你好，我在。");
  server.on(ANSWER, () => problem(409));
  server.on(CASE, () => json({ ...mine, case: { ...mine.case, assignee: "王老师" } }));
  await user.click(send());
  expect(await screen.findByText("由 王老师 接手。")).toBeDefined();
  expect(said()).toEqual(["你写的这些没有发出："]);
  expect(screen.getByText("你好，我在。")).toBeDefined();
  await expectNoViolations();
});

test("two presses in flight are one, and a look comes after it", async () => {
  await openMine();
  const field = await box();
  fireEvent.change(field, { target: { value: "你好，我在。" } });
  const looks = server.of(CASE).length;
  fireEvent.keyDown(field, { key: "Enter", ctrlKey: true });
  fireEvent.keyDown(field, { key: "Enter", ctrlKey: true });
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect([server.of(ANSWER).length, server.of(CASE).length - looks]).toEqual([1, 1]);
});

test("a second line can go before the look after the first has come back", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  server.on(CASE, () => new Promise(() => undefined));
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  await user.type(await box(), "药在哪？");
  await user.click(send());
  expect(bases()).toEqual([4, 5]);
});

test("what is typed while a reply is on its way stays in the box", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  const arrive = answerLater(ANSWER);
  await user.click(send());
  await user.type(await box(), "药在哪？");
  arrive(json(own, 201));
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(await held()).toBe("你好，我在。药在哪？");
});

test("a press that came to nothing is said until the next one, also when the look after it fails", async () => {
  const user = await openWithDraft("你好，我在。");
  server.on(ANSWER, () => problem(500));
  await user.click(send());
  await look();
  expect(said()).toEqual([expect.stringContaining("再试一次")]);
  server.on(ANSWER, () => problem(409, "PSY-503"));
  server.on(CASE, gone);
  await user.click(send());
  await screen.findByText(/这一页可能是旧的/);
  server.on(CASE, () => json(moved));
  await look();
  expect(said()).toEqual(["没有发出。", expect.stringContaining("来访者刚刚又写了新的话")]);
});

test("what moved the version and was no word of the visitor is called a change, and costs one press", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  onlyNewest(5);
  server.on(CASE, () => json({ ...mine, conversation: { ...mine.conversation, version: 5 } }));
  await user.click(send());
  expect(await screen.findByText("没有发出。")).toBeDefined();
  expect(said()).toContain("对话刚刚有变化。看一眼最新的内容，再试一次。");
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
});

test("a look from before a press does not take the reply off the screen", async () => {
  const user = await openWithDraft("你好，我在。");
  const arrive = answerLater(CASE);
  await look();
  server.on(CASE, () => json(answered));
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  await act(async () => arrive(json(mine)));
  await act(() => vi.advanceTimersByTimeAsync(100));
  expect(within(screen.getByRole("log")).getAllByText("你好，我在。")).toHaveLength(1);
});

test("a draft outlives a failure, a look at the list, and a session that ran out", async () => {
  const user = await openMine();
  await user.type(await box(), "你好");
  server.on(ANSWER, () => problem(401));
  await user.click(send());
  expect(await screen.findByText(/登录已过期/)).toBeDefined();
  await user.type(screen.getByLabelText("姓名"), "林老师");
  await user.type(screen.getByLabelText("密码"), "right{Enter}");
  expect(await held()).toBe("你好");
  await toTheList(user);
  await backToTheCase(user);
  expect(await held()).toBe("你好");
});

test("what somebody typed to a visitor is not shown to who signs in next", async () => {
  const user = await openMine();
  await user.type(await box(), "林的话");
  await user.click(screen.getByRole("button", { name: "退出" }));
  server.on("POST /api/staff/login", () => json({ name: "王老师", role: "counsellor" }));
  server.on(CASE, () => json({ ...mine, case: caseSummary({ state: "taken", assignee: "王老师" }) }));
  await user.type(await screen.findByLabelText("姓名"), "王老师");
  await user.type(screen.getByLabelText("密码"), "correct horse");
  await user.click(screen.getByRole("button", { name: "登录" }));
  expect(await held()).toBe("");
});
