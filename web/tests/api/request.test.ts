/** One request: its headers, and each way to fail as one kind of failure. */
import { expect, test, vi } from "vitest";
import { type FailureKind, failureMessage } from "../../src/api/failure";
import { ask, send } from "../../src/api/request";
import { readConversation } from "../../src/api/visitor";
import { empty, FakeServer, json, problem } from "../fakeServer";
import { conversation } from "../samples";

test("unsafe methods carry the mark, reading does not", async () => {
  const server = new FakeServer({
    "POST /api/x": () => json({}),
    "DELETE /api/x": () => empty(),
    "GET /api/x": () => json({}),
  });
  await ask("POST", "/x", { body: { a: 1 } });
  await send("DELETE", "/x");
  await ask("GET", "/x");
  expect(server.asked.map(({ headers }) => headers.get("X-Psy-Request"))).toEqual(["1", "1", null]);
});

test.each<[status: number, code: string, kind: FailureKind]>([
  [401, "PSY-502", "login"],
  [403, "PSY-502", "forbidden"],
  [404, "PSY-501", "gone"],
  [409, "PSY-503", "stale"],
  [409, "PSY-504", "state"],
  [413, "PSY-100", "tooLong"],
  [418, "PSY-100", "input"],
  [422, "PSY-100", "input"],
  [429, "PSY-000", "busy"],
  [500, "PSY-000", "server"],
  [503, "PSY-302", "server"],
])("status %i with %s is %s, with words for it", async (status, code, kind) => {
  new FakeServer({ "GET /api/x": () => problem(status, code, true) });
  const failure = await ask("GET", "/x").catch((thrown: unknown) => thrown);
  expect(failure).toMatchObject({ kind, help: true });
  expect(failureMessage(failure as never)).toBe(`problem.${kind}`);
});

test("an error page that is no JSON is still a failure with a kind", async () => {
  new FakeServer({ "GET /api/x": () => new Response("<html>", { status: 502 }) });
  await expect(ask("GET", "/x")).rejects.toMatchObject({ kind: "server", help: false });
});

test("no network is offline, a broken answer too", async () => {
  const server = new FakeServer({ "GET /api/x": () => new Response("{", { status: 200 }) });
  await expect(ask("GET", "/x")).rejects.toMatchObject({ kind: "offline" });
  server.down = true;
  await expect(ask("GET", "/x")).rejects.toMatchObject({ kind: "offline" });
});

test("a server that never answers is slow, and is hung up on", async () => {
  vi.useFakeTimers();
  const server = new FakeServer({
    "GET /api/x": ({ signal }) =>
      new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted")))),
  });
  const failure = expect(ask("GET", "/x")).rejects.toMatchObject({ kind: "slow" });
  await vi.advanceTimersByTimeAsync(20_000);
  await failure;
  expect(server.asked[0]?.signal?.aborted).toBe(true);
  vi.useRealTimers();
});

test("a conversation that has not changed is null, and the tag goes along", async () => {
  const server = new FakeServer({
    "GET /api/conversations/c1": ({ headers }) =>
      headers.get("If-None-Match") === '"1"' ? empty(304) : json(conversation(), 200, { ETag: '"1"' }),
  });
  const found = await readConversation("c1");
  expect(found?.tag).toBe('"1"');
  expect(await readConversation("c1", found?.tag)).toBeNull();
  expect(server.asked).toHaveLength(2);
});
