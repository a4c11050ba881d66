/** A reply at the desk: what goes out, how often, and that nothing typed is lost. */
import { act, screen, within } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { expectNoViolations } from "../axe";
import { json, problem } from "../fakeServer";
import { caseSummary } from "../samples";
import {
  ANSWER,
  answered,
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
} from "./atDesk";

beforeEach(startServer);

test("an answer goes out with the version that was on the screen", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  await user.click(screen.getByRole("button", { name: "发出回复" }));
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(server.of(ANSWER)[0]?.body).toMatchObject({ text: "你好，我在。", base_version: 4 });
  expect(((await box()) as HTMLTextAreaElement).value).toBe("");
});

/** The server has the reply, the page never hears of it. */
const loseTheAnswer = () =>
  server.on(ANSWER, () => {
    server.on(CASE, () => json(answered));
    return gone();
  });
const keys = () => new Set(server.of(ANSWER).map(({ body }) => body["request_key"]));

test("a reply whose answer was lost is found by the next look, not sent a second time", async () => {
  const user = await openWithDraft("你好，我在。");
  loseTheAnswer();
  await user.click(send());
  expect(said()).toEqual([expect.stringContaining("再试一次")]);
  server.on(ANSWER, () => json(own, 201));
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect([server.of(ANSWER).length, keys().size]).toEqual([2, 1]);
  await user.type(await box(), "你好，我在。");
  loseTheAnswer();
  await user.click(send());
  expect(keys().size).toBe(2);
});

test("the next look takes a lost reply out of the box, also after a look at the list", async () => {
  const user = await openWithDraft("你好，我在。");
  loseTheAnswer();
  await user.click(send());
  await look();
  expect([await held(), said()]).toEqual(["", []]);
  server.on(CASE, () => json(mine));
  await look();
  await user.type(await box(), "你好，我在。");
  let arrive: (answer: Response) => void = () => undefined;
  server.on(ANSWER, () => new Promise((resolve) => (arrive = resolve)));
  await user.click(send());
  await user.click(screen.getByRole("link", { name: "回到列表" }));
  await act(async () => arrive(json(own, 201)));
  server.on(CASE, () => json(answered));
  await user.click(await screen.findByRole("link", { name: /紧急/ }));
  expect(await held()).toBe("");
});

test("what comes after the page was left signs nobody out", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  let arrive: (answer: Response) => void = () => undefined;
  server.on(ANSWER, () => new Promise((resolve) => (arrive = resolve)));
  await user.click(send());
  await user.click(screen.getByRole("link", { name: "回到列表" }));
  await screen.findByRole("link", { name: /紧急/ });
  await act(async () => arrive(problem(401)));
  expect(screen.queryByText(/登录已过期/)).toBeNull();
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

test("what is typed while a reply is on its way stays in the box", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  let arrive: (answer: Response) => void = () => undefined;
  server.on(ANSWER, () => new Promise((resolve) => (arrive = resolve)));
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

test("a sent reply is not called unsent when the look after it fails, and the next can go", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  server.on(ANSWER, () => {
    server.on(CASE, gone);
    return json(own, 201);
  });
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect((await screen.findByText(/这一页可能是旧的/)).textContent).not.toContain("再试一次");
  server.on(ANSWER, () => problem(409, "PSY-503"));
  server.on(CASE, () => json(answered));
  await user.type(await box(), "第二句");
  await user.click(send());
  expect(await screen.findByText("没有发出。")).toBeDefined();
  expect(said()).toContain("对话刚刚有变化。看一眼最新的内容，再试一次。");
  onlyNewest(5);
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
});

test("a look from before a press does not take the reply off the screen", async () => {
  const user = await openWithDraft("你好，我在。");
  let arrive: (answer: Response) => void = () => undefined;
  server.on(CASE, () => new Promise((resolve) => (arrive = resolve)));
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
  await user.click(screen.getByRole("button", { name: "发出回复" }));
  expect(await screen.findByText(/登录已过期/)).toBeDefined();
  await user.type(screen.getByLabelText("姓名"), "林老师");
  await user.type(screen.getByLabelText("密码"), "right{Enter}");
  expect(((await box()) as HTMLTextAreaElement).value).toBe("你好");
  await user.click(screen.getByRole("link", { name: "回到列表" }));
  await user.click(await screen.findByRole("link", { name: /紧急/ }));
  expect(((await box()) as HTMLTextAreaElement).value).toBe("你好");
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
  expect(((await box()) as HTMLTextAreaElement).value).toBe("");
});
