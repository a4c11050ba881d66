/** The reader's place: what comes while one has scrolled back does not move the page, and is not missed. */
import { act, renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { useReading } from "../../src/features/chat/useReading";

function place() {
  const log = document.createElement("div");
  log.append(document.createElement("article"));
  const end = document.createElement("div");
  const toLog = vi
    .spyOn(log.firstElementChild as Element, "scrollIntoView")
    .mockImplementation(() => undefined);
  const toEnd = vi.spyOn(end, "scrollIntoView").mockImplementation(() => undefined);
  const places = { log: { current: log }, end: { current: end } };
  const start = { newest: "m1", newestOwn: "m1", failure: null as unknown };
  const hook = renderHook((now) => useReading(places, now), { initialProps: start });
  return { hook, toLog, toEnd, start };
}

function scrolledTo(left: number): void {
  vi.spyOn(document.documentElement, "scrollHeight", "get").mockReturnValue(window.innerHeight + left);
  act(() => void window.dispatchEvent(new Event("scroll")));
}

test("who reads along is taken to the start of what is new", () => {
  const { hook, toLog, start } = place();
  hook.rerender({ ...start, newest: "m2" });
  expect(toLog).toHaveBeenCalledExactlyOnceWith({ block: "start" });
  expect(hook.result.current.unseen).toBe(false);
});

test("who has scrolled back stays there and is told", () => {
  const { hook, toLog, start } = place();
  scrolledTo(900);
  hook.rerender({ ...start, newest: "m2" });
  expect(toLog).not.toHaveBeenCalled();
  expect(hook.result.current.unseen).toBe(true);
  act(() => hook.result.current.showNewest());
  expect(toLog).toHaveBeenCalledOnce();
  expect(hook.result.current.unseen).toBe(false);
});

test("scrolling down by oneself counts as having seen it", () => {
  const { hook, start } = place();
  scrolledTo(900);
  hook.rerender({ ...start, newest: "m2" });
  scrolledTo(0);
  expect(hook.result.current.unseen).toBe(false);
});

test("one's own message and a failure lead to the end of the page from everywhere", () => {
  const { hook, toEnd, start } = place();
  scrolledTo(900);
  hook.rerender({ ...start, newest: "m2", newestOwn: "m2" });
  expect(toEnd).toHaveBeenCalledTimes(2);
  hook.rerender({ ...start, newest: "m2", newestOwn: "m2", failure: {} });
  expect(toEnd).toHaveBeenCalledTimes(3);
});
