/** Help and leaving, always in reach: the card without a word typed and without the server, and the quick exit. */
import { fireEvent, screen, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { otherLines } from "../../src/lib/helpLines";
import { fakeService, openPage } from "../app/visitor";
import { expectNoViolations } from "../axe";

const button = () => screen.getByRole("button", { name: "求助电话" });
const sheet = () => screen.getByRole("region", { name: "求助电话" });

test("the card opens without a word typed, also when the server is gone, with numbers to tap", async () => {
  fakeService().down = true;
  const user = openPage();
  await user.click(button());
  expect(document.activeElement).toBe(within(sheet()).getByRole("heading", { level: 1 }));
  const links = within(sheet()).getAllByRole("link");
  expect(links.slice(0, 3).map((link) => link.getAttribute("href"))).toEqual([
    "tel:120",
    "tel:12356",
    "tel:110",
  ]);
  expect(links.every((link) => link.getAttribute("href")?.startsWith("tel:"))).toBe(true);
  expect(links).toHaveLength(3 + otherLines().flatMap(([, lines]) => lines).length);
  expect(within(sheet()).getByText(/在公开网页上查到，还没有人逐个打过确认/)).toBeDefined();
  await expectNoViolations();
});

test("while the card is open the page beneath is out of reach, the header is not", async () => {
  fakeService();
  const user = openPage();
  await user.click(button());
  expect(
    screen.getByRole("textbox", { name: "用一句话说说是什么事", hidden: true }).closest("[inert]"),
  ).not.toBeNull();
  expect(screen.getByRole("button", { name: "离开" }).closest("[inert]")).toBeNull();
  expect(button().getAttribute("aria-expanded")).toBe("true");
});

test.each(["Esc", "the cross", "the button"])("%s closes the card and gives the focus back", async (way) => {
  fakeService();
  const user = openPage();
  await user.click(button());
  if (way === "Esc") await user.keyboard("{Escape}");
  else if (way === "the cross") await user.click(screen.getByRole("button", { name: "关闭求助电话" }));
  else await user.click(button());
  expect(screen.queryByRole("region", { name: "求助电话" })).toBeNull();
  await vi.waitFor(() => expect(document.activeElement).toBe(button()));
});

function watchLeaving() {
  return vi.spyOn(window.location, "replace").mockImplementation(() => undefined);
}

test("leaving clears the screen, forgets the conversation and goes to a neutral page without a way back", async () => {
  fakeService();
  const replace = watchLeaving();
  sessionStorage.setItem("psyllm.conversation", "c1");
  const user = openPage();
  await user.click(screen.getByRole("button", { name: "离开" }));
  expect(replace).toHaveBeenCalledExactlyOnceWith("about:blank");
  expect(document.documentElement.hidden).toBe(true);
  expect(document.title).toBe("");
  expect(sessionStorage.getItem("psyllm.conversation")).toBeNull();
});

test("Esc twice leaves, from a text box, too; slowly, once, or while typing Chinese it does not", async () => {
  fakeService();
  const replace = watchLeaving();
  openPage();
  const box = screen.getByRole("textbox", { name: "用一句话说说是什么事" });
  const press = (at: number, more: KeyboardEventInit = {}): void => {
    const event = new KeyboardEvent("keydown", { key: "Escape", bubbles: true, ...more });
    Object.defineProperty(event, "timeStamp", { value: at });
    fireEvent(box, event);
  };
  press(0);
  press(1_500);
  press(2_000, { isComposing: true });
  press(2_100, { repeat: true });
  fireEvent.keyDown(box, { key: "a" });
  expect(replace).not.toHaveBeenCalled();
  press(10_000);
  press(10_900);
  expect(replace).toHaveBeenCalledOnce();
});
