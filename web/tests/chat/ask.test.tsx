/** The first screen: what a visitor reads before a word is written, asking, and what stays when sending fails. */
import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { ASK, ask, fakeService, openPage } from "../app/visitor";
import { expectNoViolations } from "../axe";
import { json, problem } from "../fakeServer";
import { status, turn } from "../samples";

const title = () => screen.getByRole("textbox", { name: "用一句话说说是什么事" });

test("before the first word stands who can see it, what is kept, how to delete it, and that nobody is there", async () => {
  fakeService();
  openPage();
  const before = screen.getByRole("region", { name: "发送之前，先看一眼" });
  expect(
    within(before)
      .getAllByRole("term")
      .map((term) => term.textContent),
  ).toEqual(["谁能看到", "会存下什么", "怎么删除"]);
  expect(await screen.findByText(/^现在没有人在看/)).toBeDefined();
  expect(screen.getByText(/不是医生/)).toBeDefined();
  await expectNoViolations();
});

test("the trial notice stands until the server says that it is released", async () => {
  const server = fakeService();
  server.on("GET /api/status", () => json({ ...status, mode: "released", counsellor_present: true }));
  openPage();
  expect(screen.getByText("试用，不接待真实来访者")).toBeDefined();
  expect(await screen.findByText("现在有辅导员在线。")).toBeDefined();
  expect(screen.queryByText("试用，不接待真实来访者")).toBeNull();
});

test("an empty question is not sent, and the words say what to do", async () => {
  const server = fakeService();
  const user = openPage();
  await user.click(screen.getByRole("button", { name: "写好了，发送" }));
  expect(screen.getByRole("alert").textContent).toBe("先写一句话，再发送。");
  expect(document.activeElement).toBe(title());
  expect(server.of(ASK)).toHaveLength(0);
  await expectNoViolations();
});

test("a text that is too long is not sent, and the length is told", async () => {
  const server = fakeService();
  const user = openPage();
  await user.click(title());
  await user.paste("难".repeat(4001));
  await user.click(screen.getByRole("button", { name: "写好了，发送" }));
  expect(screen.getByRole("alert").textContent).toContain("4001");
  expect(server.of(ASK)).toHaveLength(0);
});

test("a question is sent with title, details and a key, and its answer appears", async () => {
  const server = fakeService();
  const user = openPage();
  await user.type(screen.getByRole("textbox", { name: "想多说一点（可以不写）" }), "两个星期了");
  await ask(user, " 睡不着 ");
  expect(await screen.findByText("困了再回床上。")).toBeDefined();
  const [asked] = server.of(ASK);
  expect(asked?.body).toMatchObject({ title: "睡不着", details: "两个星期了" });
  expect(asked?.body["request_key"]).toMatch(/^[\w-]{8,64}$/);
});

test("when sending fails the words stay, the numbers stand there, and the next try has the same key", async () => {
  const server = fakeService();
  const user = openPage();
  server.down = true;
  await ask(user);
  const note = await screen.findByRole("alert");
  expect(note.textContent).toContain("你写的还在");
  expect(
    within(note)
      .getAllByRole("link")
      .map((link) => link.getAttribute("href")),
  ).toEqual(["tel:120", "tel:12356", "tel:110"]);
  expect((title() as HTMLInputElement).value).toBe("最近总是睡不着");
  await expectNoViolations();
  server.down = false;
  await user.click(screen.getByRole("button", { name: "写好了，发送" }));
  await screen.findByRole("log");
  const keys = server.of(ASK).map(({ body }) => body["request_key"]);
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
});

test("changed words get a new key: they are another message", async () => {
  const server = fakeService();
  server.on(ASK, () => problem(503));
  const user = openPage();
  await ask(user);
  await screen.findByRole("alert");
  await user.type(title(), "，怎么办");
  server.on(ASK, () => json(turn(), 201));
  await user.click(screen.getByRole("button", { name: "写好了，发送" }));
  await screen.findByRole("log");
  const keys = server.of(ASK).map(({ body }) => body["request_key"]);
  expect(keys[0]).not.toBe(keys[1]);
});

test("two presses send one question", async () => {
  const server = fakeService();
  const user = openPage();
  await user.type(title(), "睡不着");
  await user.dblClick(screen.getByRole("button", { name: "写好了，发送" }));
  await screen.findByRole("log");
  expect(server.of(ASK)).toHaveLength(1);
});

test("when the server does not answer at all, the help card is on the first screen", async () => {
  fakeService().down = true;
  openPage();
  const card = await screen.findByRole("region", { name: "现在就可以打的电话" });
  expect(within(card).getByRole("link", { name: /^120/ })).toBeDefined();
  expect(screen.getByText(/现在连不上，写的话暂时发不出去/)).toBeDefined();
  await expectNoViolations();
});

test("a failure for which the server wants the card shown shows it", async () => {
  const server = fakeService();
  server.on(ASK, () => problem(500, "PSY-000", true));
  const user = openPage();
  await ask(user);
  expect(await screen.findByRole("region", { name: "现在就可以打的电话" })).toBeDefined();
});

test("an earlier conversation can be gone on with", async () => {
  const server = fakeService();
  server.on("GET /api/conversations", () =>
    json([
      { id: "c1", title: "最近总是睡不着", updated_at: "2026-11-22T02:00:00Z", owner: "bot", unread: true },
    ]),
  );
  const user = openPage();
  await user.click(await screen.findByRole("button", { name: /最近总是睡不着.*有新回复/ }));
  expect(await screen.findByRole("log")).toBeDefined();
  expect(document.activeElement).toBe(screen.getByRole("heading", { level: 1 }));
});

test("a reload of the tab goes on where it was, and a deleted conversation is let go", async () => {
  const server = fakeService();
  sessionStorage.setItem("psyllm.conversation", "c1");
  server.on("GET /api/conversations/*", () => problem(404, "PSY-501"));
  openPage();
  expect((await screen.findByRole("alert")).textContent).toContain("没有找到，可能已经删除");
  await waitFor(() => expect(sessionStorage.getItem("psyllm.conversation")).toBeNull());
  expect(window.location.href).not.toContain("c1");
});
