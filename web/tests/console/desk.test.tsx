/** The desk as a whole: signing in, the list that looks again by itself, a case from taking to closing. */
import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { expectNoViolations } from "../axe";
import { json, problem } from "../fakeServer";
import { caseSummary } from "../samples";
import { box, CASE, CLOSE, LIST, ME, me, mine, openDesk, openMine, server, startServer } from "./atDesk";

beforeEach(startServer);

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
