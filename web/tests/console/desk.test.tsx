/** The desk as a whole: signing in, the list that looks again by itself, a case from taking to closing. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import DeskPage from "../../src/app/DeskPage";
import { keepDraft } from "../../src/features/console/drafts";
import { expectNoViolations } from "../axe";
import { empty, FakeServer, json, problem } from "../fakeServer";
import { caseDetail, caseSummary, conversation, message, notice, status } from "../samples";

const ME = "GET /api/staff/me";
const LIST = "GET /api/staff/cases";
const CASE = "GET /api/staff/cases/*";
const TAKE = "POST /api/staff/cases/*/take";
const ANSWER = "POST /api/staff/cases/*/messages";
const CLOSE = "POST /api/staff/cases/*/close";
const me = { name: "林老师", role: "counsellor" };

const talk = conversation({ version: 3, level: "urgent", help: true, messages: [message(), notice] });
const open = caseDetail({ conversation: talk });
const mine = caseDetail({
  case: caseSummary({ state: "taken", assignee: "林老师" }),
  conversation: { ...talk, version: 4, owner: "person", case: "taken" },
});
const later = message({ id: "m8", seq: 3, text: "老师，我还在。" });
const moved = caseDetail({
  case: mine.case,
  conversation: { ...mine.conversation, version: 5, messages: [...talk.messages, later] },
});

let server: FakeServer;

beforeEach(() => {
  keepDraft("case-000001", "");
  server = new FakeServer({
    "GET /api/status": () => json(status),
    [ME]: () => json(me),
    [LIST]: () => json([caseSummary()]),
    [CASE]: () => json(open),
    [TAKE]: () => json(mine),
    [ANSWER]: () => json(message({ id: "p1", seq: 4, author: "counsellor", text: "你好，我在。" }), 201),
    [CLOSE]: () => json(caseDetail({ case: caseSummary({ state: "closed" }) })),
    "POST /api/staff/login": () => json(me),
    "POST /api/staff/logout": () => empty(),
  });
});

function openDesk(path = "/desk") {
  window.history.replaceState(null, "", path);
  render(<DeskPage />);
  return userEvent.setup();
}

const box = () => screen.findByRole("textbox", { name: "回复来访者" });

async function openMine() {
  server.on(CASE, () => json(mine));
  const user = openDesk("/desk/cases/case-000001");
  await box();
  return user;
}

test("who is not signed in is asked to, wrong words are told apart from a lost server", async () => {
  server.on(ME, () => problem(401));
  server.on("POST /api/staff/login", () => problem(401));
  const user = openDesk();
  await user.type(await screen.findByLabelText("姓名"), "林老师");
  await user.type(screen.getByLabelText("密码"), "wrong");
  await user.click(screen.getByRole("button", { name: "登录" }));
  expect((await screen.findByRole("alert")).textContent).toContain("姓名或密码不对");
  expect((screen.getByLabelText("密码") as HTMLInputElement).value).toBe("");
  await expectNoViolations();
  server.on("POST /api/staff/login", () => json(me));
  await user.type(screen.getByLabelText("密码"), "right{Enter}");
  expect(await screen.findByRole("heading", { name: "个案" })).toBeDefined();
  expect(server.of("POST /api/staff/login")[1]?.body).toEqual({ name: "林老师", password: "right" });
});

test("empty fields are not sent", async () => {
  server.on(ME, () => problem(401));
  const user = openDesk();
  await user.click(await screen.findByRole("button", { name: "登录" }));
  expect(screen.getByRole("alert").textContent).toBe("姓名和密码都要填。");
  expect(server.of("POST /api/staff/login")).toHaveLength(0);
});

test("the list shows level, wait and who, in the server's order, and looks again by itself", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  openDesk();
  const row = await screen.findByRole("link", { name: /紧急/ });
  expect(row.textContent).toMatch(/等待时间 2 分钟.*待接手.*还没有人/);
  await vi.waitFor(() => expect(document.title).toBe("（1）辅导台"));
  expect(screen.getByText("试用，不接待真实来访者")).toBeDefined();
  await expectNoViolations();
  const second = caseSummary({ id: "case-000002", level: "risk", waiting_s: 7300 });
  server.on(LIST, () => json([caseSummary(), second]));
  await vi.advanceTimersByTimeAsync(5_100);
  await screen.findByRole("link", { name: /有风险/ });
  const rows = within(screen.getByRole("list", { name: "个案" })).getAllByRole("link");
  expect(rows.map((one) => one.textContent?.match(/紧急|有风险/)?.[0])).toEqual(["紧急", "有风险"]);
  server.down = true;
  await vi.advanceTimersByTimeAsync(5_100);
  expect((await screen.findByRole("alert")).textContent).toContain("列表可能是旧的");
  expect(screen.getAllByRole("link", { name: /个案 / })).toHaveLength(2);
  vi.useRealTimers();
});

test("the filter asks for that state at once", async () => {
  const user = openDesk();
  await screen.findByRole("link", { name: /紧急/ });
  server.on(LIST, () => json([]));
  await user.click(screen.getByRole("radio", { name: "已结束" }));
  expect(await screen.findByText(/现在没有个案/)).toBeDefined();
  expect(server.of(LIST).map(({ path }) => path)).toEqual([
    "/api/staff/cases?state=open",
    "/api/staff/cases?state=closed",
  ]);
});

test("a case shows the words, what screening saw in them, and its history; taking it opens the box", async () => {
  const user = openDesk();
  await user.click(await screen.findByRole("link", { name: /紧急/ }));
  expect(window.location.pathname).toBe("/desk/cases/case-000001");
  expect(await screen.findByText("筛查：紧急（wish.plain）")).toBeDefined();
  expect(screen.getByText(/自动筛查 建立个案，风险：紧急/)).toBeDefined();
  expect(screen.queryByRole("textbox")).toBeNull();
  await expectNoViolations();
  await user.click(screen.getByRole("button", { name: "接手这个个案" }));
  expect(await box()).toBeDefined();
  await expectNoViolations();
});

test("a case that another has taken can be read only", async () => {
  server.on(CASE, () => json({ ...mine, case: { ...mine.case, assignee: "王老师" } }));
  openDesk("/desk/cases/case-000001");
  expect(await screen.findByText("由 王老师 接手。")).toBeDefined();
  expect(screen.queryByRole("textbox")).toBeNull();
});

test("an answer goes out with the version that was on the screen", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  await user.click(screen.getByRole("button", { name: "发出回复" }));
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(server.of(ANSWER)[0]?.body).toMatchObject({ text: "你好，我在。", base_version: 4 });
  expect(((await box()) as HTMLTextAreaElement).value).toBe("");
});

test("when the visitor wrote meanwhile, the new words are shown, the draft stays, and the next press sends", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  server.on(ANSWER, ({ body }) =>
    body["base_version"] === 5 ? json(message({ id: "p1", seq: 9 }), 201) : problem(409, "PSY-503"),
  );
  server.on(CASE, () => json(moved));
  await user.click(screen.getByRole("button", { name: "发出回复" }));
  expect(await screen.findByText("我还在。", { exact: false })).toBeDefined();
  expect(screen.getByRole("alert").textContent).toMatch(/没有发出。.*来访者刚刚又写了新的话.*可以直接按/);
  expect(((await box()) as HTMLTextAreaElement).value).toBe("你好，我在。");
  await user.click(screen.getByRole("button", { name: "发出回复" }));
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(server.of(ANSWER).map(({ body }) => body["base_version"])).toEqual([4, 5]);
});

test("new words that have stood on the screen a while cost no second press", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  server.on(CASE, () => json(moved));
  await vi.advanceTimersByTimeAsync(5_100);
  expect((await screen.findByRole("alert")).textContent).toContain("来访者刚刚又写了新的话");
  expect(screen.queryByText(/可以直接按/)).toBeNull();
  await vi.advanceTimersByTimeAsync(2_100);
  expect((await screen.findByText(/可以直接按/)).textContent).not.toContain("没有发出");
  await user.click(screen.getByRole("button", { name: "发出回复" }));
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect(server.of(ANSWER).map(({ body }) => body["base_version"])).toEqual([5]);
  vi.useRealTimers();
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

test("closing needs a reason, takes a note, and hands the conversation back", async () => {
  const user = await openMine();
  await user.click(screen.getByRole("button", { name: "结束这个个案" }));
  await user.click(screen.getByRole("button", { name: "确定结束" }));
  expect(screen.getByRole("alert").textContent).toBe("先选一个原因。");
  await expectNoViolations();
  await user.click(screen.getByRole("radio", { name: "已移交急救或警方" }));
  await user.type(screen.getByRole("textbox", { name: /备注/ }), "120 已到");
  await user.click(screen.getByRole("button", { name: "确定结束" }));
  expect(await screen.findByText("这个个案已经结束。")).toBeDefined();
  expect(server.of(CLOSE)[0]?.body).toEqual({
    reason: "emergency_handed_over",
    note: "120 已到",
    base_version: 4,
  });
});

test("signing out leads back to the form", async () => {
  const user = openDesk();
  await user.click(await screen.findByRole("button", { name: "退出" }));
  await waitFor(() => expect(screen.getByRole("heading", { name: "辅导员登录" })).toBeDefined());
  expect(server.of("POST /api/staff/logout")).toHaveLength(1);
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
