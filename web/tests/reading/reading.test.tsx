/** The short texts: opened without a word typed, read in place, and honest about who has looked at them. */
import { screen, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { fakeService, openPage } from "../app/visitor";
import { expectNoViolations } from "../axe";
import { json, problem } from "../fakeServer";

const LIST = "GET /api/articles";
const NIGHT = { title: "睡不着的夜里", topic: "情绪", text: "夜里很长。\n\n先把钟转过去。", reviewed_by: "" };
const LETTING_GO = { title: "分手以后", topic: "恋爱", text: "头几个星期最难。", reviewed_by: "王医生" };
const PANIC = { title: "惊恐突然来的时候", topic: "情绪", text: "心跳得很快。", reviewed_by: "" };

function service() {
  const server = fakeService();
  server.on(LIST, () => json([NIGHT, LETTING_GO, PANIC]));
  return server;
}

const sheet = () => screen.getByRole("region", { name: "短文" });
const press = (name: string) => screen.getByRole("button", { name });

test("texts are listed by topic, and one is read in place with what it is", async () => {
  service();
  const user = openPage();
  await user.click(press("先看看短文"));
  await within(sheet()).findByRole("button", { name: NIGHT.title });
  const topics = within(sheet()).getAllByRole("heading", { level: 2 });
  expect(topics.map((topic) => topic.textContent)).toEqual(["情绪", "恋爱"]);
  await expectNoViolations();
  await user.click(press(NIGHT.title));
  expect(document.activeElement?.textContent).toBe(NIGHT.title);
  expect(within(sheet()).getByText("先把钟转过去。")).toBeDefined();
  expect(within(sheet()).getByText(/还没有专业人员审过。不是咨询/)).toBeDefined();
  await expectNoViolations();
});

test("going back finds the place in the list again", async () => {
  service();
  const user = openPage();
  await user.click(press("先看看短文"));
  await user.click(await within(sheet()).findByRole("button", { name: PANIC.title }));
  await user.click(within(sheet()).getAllByRole("button", { name: "回到目录" })[0] as HTMLElement);
  expect(document.activeElement?.textContent).toBe(PANIC.title);
});

test("the page asking the service again does not take the focus away", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  const server = service();
  const user = openPage();
  await user.click(press("先看看短文"));
  await user.click(await within(sheet()).findByRole("button", { name: NIGHT.title }));
  await user.click(within(sheet()).getAllByRole("button", { name: "回到目录" })[0] as HTMLElement);
  press(PANIC.title).focus();
  const asked = server.of("GET /api/status").length;
  await vi.advanceTimersByTimeAsync(20_100);
  await vi.waitFor(() => expect(server.of("GET /api/status").length).toBeGreaterThan(asked));
  expect(document.activeElement?.textContent).toBe(PANIC.title);
  vi.useRealTimers();
});

test("a reviewed text names who reviewed it", async () => {
  service();
  const user = openPage();
  await user.click(press("先看看短文"));
  await user.click(await within(sheet()).findByRole("button", { name: LETTING_GO.title }));
  expect(within(sheet()).getByText(/由王医生审过/)).toBeDefined();
});

test("the server is asked once, whatever is read", async () => {
  const server = service();
  const user = openPage();
  await user.click(press("先看看短文"));
  await user.click(await within(sheet()).findByRole("button", { name: NIGHT.title }));
  await user.click(within(sheet()).getAllByRole("button", { name: "回到目录" })[0] as HTMLElement);
  await user.click(press(PANIC.title));
  expect(server.of(LIST)).toHaveLength(1);
});

test("when the texts can't be had the numbers stand there, and another try works", async () => {
  const server = service();
  server.on(LIST, () => problem(503));
  const user = openPage();
  await user.click(press("先看看短文"));
  const told = await within(sheet()).findByRole("alert");
  expect(within(told).getByRole("link", { name: /12356/ })).toBeDefined();
  server.on(LIST, () => json([NIGHT]));
  await user.click(press("再试一次"));
  expect(await within(sheet()).findByRole("button", { name: NIGHT.title })).toBeDefined();
});
