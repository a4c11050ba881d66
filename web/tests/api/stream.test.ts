/** Following a run: cut bytes, breaks, resuming, giving up, never asking for the answer twice. */
import { expect, test } from "vitest";
import { Failure } from "../../src/api/failure";
import { followRun } from "../../src/api/stream";
import type { RunEvent } from "../../src/api/types";
import { empty, eventText, FakeServer, Line, problem } from "../fakeServer";

const EVENTS = "GET /api/runs/r1/events";
const running: RunEvent = { name: "state", state: "running" };
const first: RunEvent = { name: "sentence", text: "你好。", message_id: "m3" };
const second: RunEvent = { name: "sentence", text: "慢慢说。", message_id: "m3" };
const done: RunEvent = { name: "done", message_id: "m3", version: 3 };

interface Followed {
  seen: RunEvent[];
  broken: boolean[];
  waits: number[];
  stop: AbortController;
  end: Promise<void>;
}

function follow(): Followed {
  const seen: RunEvent[] = [];
  const broken: boolean[] = [];
  const waits: number[] = [];
  const stop = new AbortController();
  const end = followRun({
    runId: "r1",
    signal: stop.signal,
    onEvent: (event) => seen.push(event),
    onBroken: (now) => broken.push(now),
    wait: async (milliseconds) => {
      waits.push(milliseconds);
    },
  });
  return { seen, broken, waits, stop, end };
}

function serve(...responses: (Line | Response)[]): FakeServer {
  return new FakeServer({
    [EVENTS]: () => {
      const next = responses.shift();
      if (next === undefined) return problem(500);
      return next instanceof Line ? next.response : next;
    },
  });
}

test("events arrive in order and the stream ends at done", async () => {
  serve(new Line().send(1, running).send(2, first).send(3, second).send(4, done));
  const followed = follow();
  await followed.end;
  expect(followed.seen).toEqual([running, first, second, done]);
  expect(followed.waits).toEqual([]);
});

test("bytes cut anywhere, also within a character, give the same events", async () => {
  const bytes = new TextEncoder().encode(eventText(1, first) + eventText(2, done));
  const line = new Line();
  for (const byte of bytes) line.write(Uint8Array.of(byte));
  serve(line);
  const followed = follow();
  await followed.end;
  expect(followed.seen).toEqual([first, done]);
});

test("CRLF, comments and events of other names do no harm", async () => {
  const line = new Line()
    .write(": ping\r\n\r\n")
    .write(eventText(1, first, "\r\n"))
    .write("id: 2\r\nevent: weather\r\ndata: {}\r\n\r\n")
    .write(eventText(3, done, "\r\n"));
  serve(line);
  const followed = follow();
  await followed.end;
  expect(followed.seen).toEqual([first, done]);
});

test("after a break it resumes behind the last number, leaves doubles out and only ever reads", async () => {
  const server = serve(
    new Line().send(1, running).send(2, first).tear(),
    new Line().send(2, first).send(3, done),
  );
  const followed = follow();
  await followed.end;
  expect(followed.seen).toEqual([running, first, done]);
  expect(server.of(EVENTS).map(({ headers }) => headers.get("Last-Event-ID"))).toEqual([null, "2"]);
  expect(server.asked.every(({ method }) => method === "GET")).toBe(true);
  expect(followed.broken).toEqual([false, true, false]);
});

test("a line that ends without done is taken up again", async () => {
  serve(new Line().send(1, first).end(), new Line().send(2, done));
  const followed = follow();
  await followed.end;
  expect(followed.seen).toEqual([first, done]);
});

test("a run that has ended is not asked for again when the server closes without done", async () => {
  const server = serve(new Line().send(1, { name: "state", state: "stopped" }).end());
  const followed = follow();
  await followed.end;
  expect(server.asked).toHaveLength(1);
});

test("waits grow, start anew after news, and an end comes to empty tries", async () => {
  const server = serve(problem(503), problem(503), new Line().send(1, first).end());
  const followed = follow();
  await expect(followed.end).rejects.toMatchObject({ kind: "server" });
  expect(followed.waits.slice(0, 4)).toEqual([1000, 2000, 500, 1000]);
  expect(Math.max(...followed.waits)).toBe(8000);
  expect(server.asked).toHaveLength(10);
});

test("a server that says no is believed at once", async () => {
  const server = serve(problem(404, "PSY-501"));
  await expect(follow().end).rejects.toEqual(new Failure("gone"));
  expect(server.asked).toHaveLength(1);
});

test("an answer without a body counts as a break, not as an end", async () => {
  serve(empty(200), new Line().send(1, done));
  const followed = follow();
  await followed.end;
  expect(followed.seen).toEqual([done]);
});

test("giving up hangs up and tells nothing more", async () => {
  const line = new Line().send(1, first);
  const server = serve(line);
  const followed = follow();
  await expect.poll(() => followed.seen).toEqual([first]);
  followed.stop.abort();
  line.send(2, second).send(3, done);
  await followed.end;
  expect(followed.seen).toEqual([first]);
  expect(server.of(EVENTS)[0]?.signal?.aborted).toBe(true);
});
