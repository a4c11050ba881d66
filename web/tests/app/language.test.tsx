/** The page in English: switched without losing a word, and honest about Chinese answers. */
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { createElement } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { App } from "../../src/app/App";
import { expectNoViolations } from "../axe";
import { json } from "../fakeServer";
import { conversation, libraryAnswer, message } from "../samples";
import { ASK, fakeService, READ } from "./visitor";

afterEach(() => localStorage.clear());

function open() {
  render(createElement(App));
  return userEvent.setup();
}

const toEnglish = () => screen.getByRole("button", { name: "Switch to English" });

async function askInEnglish(): Promise<void> {
  const user = open();
  await user.click(toEnglish());
  await user.type(
    screen.getByRole("textbox", { name: "In one sentence, what is it about?" }),
    "I can't sleep",
  );
  await user.click(screen.getByRole("button", { name: "Send it" }));
}

test("the switch speaks the other language, and the page follows with what was typed", async () => {
  fakeService();
  const user = open();
  expect(document.title).toBe("问答");
  await user.type(screen.getByRole("textbox", { name: "用一句话说说是什么事" }), "我睡不着");
  expect(toEnglish().getAttribute("lang")).toBe("en");
  await user.click(toEnglish());
  expect(document.documentElement.lang).toBe("en");
  expect(document.title).toBe("Q&A");
  const box = screen.getByRole<HTMLInputElement>("textbox", { name: "In one sentence, what is it about?" });
  expect(box.value).toBe("我睡不着");
  expect(document.activeElement?.textContent).toBe("中文");
  await user.click(screen.getByRole("button", { name: "切换到中文" }));
  expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("想说的，写在这里");
});

test("the English page says that answers are in Chinese, and has no fault that axe finds", async () => {
  fakeService();
  const user = open();
  expect(screen.queryByText(/answers you find here are in Chinese/)).toBeNull();
  await user.click(toEnglish());
  expect(screen.getByText(/answers you find here are in Chinese/)).toBeDefined();
  await user.click(screen.getByRole("button", { name: "Get help" }));
  const card = screen.getByRole("region", { name: "Get help" });
  expect(within(card).getByRole("link", { name: /12356 National psychological support line/ })).toBeDefined();
  await expectNoViolations();
});

test("the server is asked in the page's language", async () => {
  const server = fakeService();
  await askInEnglish();
  await vi.waitFor(() => expect(server.of(ASK)[0]?.headers.get("Accept-Language")).toBe("en"));
});

test("a Chinese answer on an English page is marked as Chinese for whoever listens to it", async () => {
  const server = fakeService();
  server.on(READ, () => json(conversation({ messages: [message(), libraryAnswer] })));
  await askInEnglish();
  const answer = await screen.findByText(/no professional has reviewed it yet/);
  expect(answer.closest("article")?.querySelector("[lang=zh-CN]")?.textContent).toBe(libraryAnswer.text);
});
