/** A reply at the desk: what goes out, what is refused, and that nothing typed is lost. */
import { act, fireEvent, screen, within } from "@testing-library/react";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { expectNoViolations } from "../axe";
import { type FakeServer, json, problem } from "../fakeServer";
import { caseSummary } from "../samples";
import { ANSWER, answered, box, CASE, CLOSE, mine, moved, openMine, own, serverOfOneCase } from "./atDesk";

let server: FakeServer;

beforeEach(() => {
  server = serverOfOneCase();
});

/** The versions with which replies went out so far. */
const bases = () => server.of(ANSWER).map(({ body }) => body["base_version"]);
const send = () => screen.getByRole("button", { name: "发出回复" });
const said = () => screen.queryAllByRole("alert").map((alert) => alert.textContent);
const held = async () => ((await box()) as HTMLTextAreaElement).value;
const onlyNewest = (version: number) =>
  server.on(ANSWER, ({ body }) =>
    body["base_version"] === version ? json(own, 201) : problem(409, "PSY-503"),
  );
const gone = () => {
  throw new TypeError("Failed to fetch");
};

/** Open the taken case with a draft, on a clock that the test moves. */
async function openWithDraft(text: string) {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  onTestFinished(() => void vi.useRealTimers());
  const user = await openMine(server);
  await user.type(await box(), text);
  return user;
}

const look = () => act(() => vi.advanceTimersByTimeAsync(5_100));
const read = () => act(() => vi.advanceTimersByTimeAsync(2_100));

test("an answer goes out with the version that was on the screen", async () => {
  const user = await openMine(server);
  await user.type(await box(), "你好，我在。");
  await user.click(screen.getByRole("button", { name: "发出回复" }));
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(server.of(ANSWER)[0]?.body).toMatchObject({ text: "你好，我在。", base_version: 4 });
  expect(((await box()) as HTMLTextAreaElement).value).toBe("");
});

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

test("a reply whose answer was lost is not sent a second time", async () => {
  const user = await openWithDraft("你好，我在。");
  server.on(ANSWER, () => {
    server.on(CASE, () => json(answered));
    return gone();
  });
  await user.click(send());
  await look();
  expect(said()).toEqual([expect.stringContaining("再试一次")]);
  server.on(ANSWER, () => json(own, 201));
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  const keys = server.of(ANSWER).map(({ body }) => body["request_key"]);
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
  expect(said()).toEqual([]);
});

test("what is typed while a reply is on its way stays in the box", async () => {
  const user = await openMine(server);
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
  const user = await openMine(server);
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

test("a refused close speaks of no reply, and words that nobody has read don't go with it", async () => {
  const user = await openWithDraft("草稿");
  server.on(CASE, () => json(moved));
  await look();
  server.on(CLOSE, () => problem(409, "PSY-503"));
  await user.click(screen.getByRole("button", { name: "结束这个个案" }));
  await user.click(screen.getByRole("radio", { name: "已移交急救或警方" }));
  await user.click(screen.getByRole("button", { name: "确定结束" }));
  expect(await screen.findByText("对话刚刚有变化。看一眼最新的内容，再试一次。")).toBeDefined();
  expect(screen.queryByText("没有发出。")).toBeNull();
  expect(server.of(CLOSE)[0]?.body["base_version"]).toBe(4);
});

test("a draft outlives a failure, a look at the list, and a session that ran out", async () => {
  const user = await openMine(server);
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
  const user = await openMine(server);
  await user.type(await box(), "林的话");
  await user.click(screen.getByRole("button", { name: "退出" }));
  server.on("POST /api/staff/login", () => json({ name: "王老师", role: "counsellor" }));
  server.on(CASE, () => json({ ...mine, case: caseSummary({ state: "taken", assignee: "王老师" }) }));
  await user.type(await screen.findByLabelText("姓名"), "王老师");
  await user.type(screen.getByLabelText("密码"), "correct horse");
  await user.click(screen.getByRole("button", { name: "登录" }));
  expect(((await box()) as HTMLTextAreaElement).value).toBe("");
});
