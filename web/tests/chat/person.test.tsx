/** A person in the conversation: asked for, coming, there, away. */
import { screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { ASK, answered, ask, fakeService, openPage, READ } from "../app/visitor";
import { expectNoViolations } from "../axe";
import { empty, json, problem } from "../fakeServer";
import { message, status, turn } from "../samples";

const another = () => screen.findByRole("button", { name: "换一种说法看看" });

test("who asks for a person while nobody is there is told so, with the numbers", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  await another();
  server.on(READ, () => json({ ...answered, version: 4, case: "open" }));
  await user.click(screen.getByRole("button", { name: "我想和人说话" }));
  expect(await screen.findByText(/现在没有人在看。急的话/)).toBeDefined();
  expect(screen.getByRole("region", { name: "现在就可以打的电话" })).toBeDefined();
  expect(screen.queryByRole("button", { name: "我想和人说话" })).toBeNull();
});

/** Somebody asks for a person while a counsellor is there; the clock is the test's. */
async function waitForPerson() {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const server = fakeService();
  server.on("GET /api/status", () => json({ ...status, counsellor_present: true }));
  const user = openPage();
  await ask(user);
  await another();
  server.on(READ, () => json({ ...answered, version: 4, case: "open" }, 200, { ETag: '"4"' }));
  await user.click(screen.getByRole("button", { name: "我想和人说话" }));
  await screen.findByText(/现在有辅导员在线。有人接手时/);
  return server;
}

test("a counsellor who takes over is announced, the program falls silent, and new words come by themselves", async () => {
  const server = await waitForPerson();
  const taken = { ...answered, version: 5, owner: "person", case: "taken", may_view: false } as const;
  server.on(READ, () => json(taken, 200, { ETag: '"5"' }));
  await vi.advanceTimersByTimeAsync(4_100);
  expect(await screen.findByText(/辅导员已经接手/)).toBeDefined();
  expect(screen.queryByRole("button", { name: "换一种说法看看" })).toBeNull();
  server.on(READ, ({ headers }) => {
    if (headers.get("If-None-Match") !== '"5"') return problem(500);
    const words = message({ id: "p1", seq: 7, author: "counsellor", text: "你好，我在。" });
    return json({ ...taken, messages: [...taken.messages, words] }, 200, { ETag: '"6"' });
  });
  await vi.advanceTimersByTimeAsync(4_100);
  expect(await screen.findByText("你好，我在。")).toBeDefined();
  server.on(READ, ({ headers }) => (headers.get("If-None-Match") === '"6"' ? empty(304) : problem(500)));
  await vi.advanceTimersByTimeAsync(4_100);
  expect(screen.getByText("你好，我在。")).toBeDefined();
  await expectNoViolations();
  vi.useRealTimers();
});

test("a counsellor who took over is called away only by a later word of the service", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const server = fakeService();
  server.on(ASK, () => json(turn({ owner: "person", case_open: true, run: null }), 201));
  server.on(READ, () => json({ ...answered, owner: "person", case: "taken", may_view: false }));
  const user = openPage();
  await screen.findByText(/^现在没有人在看/);
  await ask(user);
  expect(await screen.findByText(/辅导员已经接手/)).toBeDefined();
  await vi.advanceTimersByTimeAsync(20_100);
  expect(await screen.findByText(/接手的辅导员现在不在线/)).toBeDefined();
  expect(screen.getByRole("region", { name: "现在就可以打的电话" })).toBeDefined();
  vi.useRealTimers();
});

test("when the service is lost, nothing old is said of a counsellor, and the numbers are there", async () => {
  const server = await waitForPerson();
  server.down = true;
  await vi.advanceTimersByTimeAsync(20_100);
  expect(await screen.findByText(/现在连不上，写的话暂时发不出去/)).toBeDefined();
  expect(screen.queryByText(/现在有辅导员在线/)).toBeNull();
  expect(screen.getByRole("region", { name: "现在就可以打的电话" })).toBeDefined();
  vi.useRealTimers();
});

test("a case that the counsellor has closed is told, and a person can be asked for again", async () => {
  const server = fakeService();
  server.on(READ, () => json({ ...answered, version: 6, case: "closed" }));
  const user = openPage();
  await ask(user);
  expect(await screen.findByText(/已经结束了这次接待/)).toBeDefined();
  expect(screen.getByRole("button", { name: "我想和人说话" })).toBeDefined();
});
