/** Replies of which the page does not hear whether they arrived: never sent twice, never called what they are not. */
import { act, screen } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import { json, problem } from "../fakeServer";
import {
  ANSWER,
  answered,
  backToTheCase,
  box,
  CASE,
  gone,
  held,
  look,
  mine,
  openMine,
  openWithDraft,
  own,
  pressAndLeave,
  said,
  send,
  server,
  startServer,
} from "./atDesk";

beforeEach(startServer);

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
  const arrive = await pressAndLeave(user);
  await act(async () => arrive(json(own, 201)));
  server.on(CASE, () => json(answered));
  await backToTheCase(user);
  expect(await held()).toBe("");
});

test("what comes after the page was left signs nobody out", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  const arrive = await pressAndLeave(user);
  await screen.findByRole("link", { name: /紧急/ });
  await act(async () => arrive(problem(401)));
  expect(screen.queryByText(/登录已过期/)).toBeNull();
});

test("a lost reply that was cut and pasted back is found all the same", async () => {
  const user = await openWithDraft("你好，我在。");
  loseTheAnswer();
  await user.click(send());
  await user.clear(await box());
  await user.type(await box(), "你好，我在。");
  await look();
  expect([await held(), said()]).toEqual(["", []]);
  expect(screen.getByText("已发出。")).toBeDefined();
});

test("a reply that a look found is not called failed when its press breaks at last", async () => {
  const user = await openWithDraft("你好，我在。");
  let breakOff: () => void = () => undefined;
  server.on(ANSWER, () => {
    server.on(CASE, () => json(answered));
    return new Promise((_, reject) => (breakOff = () => reject(new TypeError("Failed to fetch"))));
  });
  await user.click(send());
  await look();
  expect(screen.getByText("已发出。")).toBeDefined();
  await act(async () => breakOff());
  expect([await held(), said()]).toEqual(["", []]);
});

test("who comes back to a reply that failed meanwhile hears that nobody knows", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  const arrive = await pressAndLeave(user);
  await act(async () => arrive(problem(500)));
  await backToTheCase(user);
  expect(await held()).toBe("你好，我在。");
  expect(said()).toEqual([expect.stringContaining("不知道刚才有没有发出去")]);
});

test("a sent reply is not called unsent when the look after it fails", async () => {
  const user = await openMine();
  await user.type(await box(), "你好，我在。");
  server.on(ANSWER, () => {
    server.on(CASE, gone);
    return json(own, 201);
  });
  await user.click(send());
  expect(await screen.findByText("已发出。")).toBeDefined();
  expect((await screen.findByText(/这一页可能是旧的/)).textContent).not.toContain("再试一次");
});
