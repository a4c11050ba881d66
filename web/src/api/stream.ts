/**
 * Follows the numbered events of one run over fetch, and resumes after a break.
 *
 * Reading only: a break repeats the GET with `Last-Event-ID`, never the request
 * that started the run. Events with a number already seen are left out. Ends
 * after `done`, when `signal` is aborted, or throws a `Failure` when the server
 * says no or too many tries in a row brought nothing.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { asFailure, Failure, failureOf } from "./failure";
import { type Patience, patience } from "./patience";
import type { RunEvent } from "./types";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
// With the waits above about 40 s, then the page says so and offers another try.
const MOST_EMPTY_TRIES = 7;
// The server sends a comment every 15 s at the latest; silence for longer means a dead line.
const SILENCE_MS = 40_000;

const NAMES: ReadonlySet<string> = new Set(["state", "sentence", "message", "replaced", "done"]);

export interface Following {
  runId: string;
  signal: AbortSignal;
  onEvent: (event: RunEvent) => void;
  /** Called with true when the line broke and is being taken up again, with false when it is back. */
  onBroken?: (broken: boolean) => void;
  /** Replaced in tests, where nobody wants to wait. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

interface Progress {
  lastId: number;
  done: boolean;
  ended: boolean;
}

/** Follow the run's events to the end. */
export async function followRun(following: Following): Promise<void> {
  const { signal, wait = pause } = following;
  const progress: Progress = { lastId: 0, done: false, ended: false };
  let emptyTries = 0;
  while (!signal.aborted) {
    const before = progress.lastId;
    const problem = await readOnce(following, progress);
    if (progress.done || signal.aborted) return;
    // The run has ended and the server has nothing more to say.
    if (problem === null && progress.ended) return;
    emptyTries = progress.lastId > before ? 0 : emptyTries + 1;
    if (emptyTries >= MOST_EMPTY_TRIES) throw problem ?? new Failure("offline");
    following.onBroken?.(true);
    await wait(Math.min(FIRST_WAIT_MS * 2 ** emptyTries, LONGEST_WAIT_MS), signal);
  }
}

/** Read one connection until it ends; return what broke it, null for a plain end. */
async function readOnce(following: Following, progress: Progress): Promise<Failure | null> {
  const line = patience(SILENCE_MS, following.signal);
  try {
    const response = await fetch(`/api/runs/${following.runId}/events`, {
      headers: {
        Accept: "text/event-stream",
        ...(progress.lastId > 0 ? { "Last-Event-ID": String(progress.lastId) } : {}),
      },
      credentials: "same-origin",
      cache: "no-store",
      signal: line.signal,
    });
    if (!response.ok) {
      const failure = await failureOf(response);
      if (response.status < 500 && response.status !== 429) throw failure;
      return failure;
    }
    following.onBroken?.(false);
    for await (const event of eventsOf(response, line)) {
      if (following.signal.aborted) return null;
      take(event, following, progress);
      if (progress.done) return null;
    }
    return null;
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    return asFailure(thrown);
  } finally {
    line.end(true);
  }
}

/** Yield the events of a response as they come in, however the bytes are cut. */
async function* eventsOf(response: Response, line: Patience): AsyncGenerator<EventSourceMessage> {
  const ready: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => ready.push(event) });
  const letters = new TextDecoder();
  const reader = response.body?.getReader();
  for (;;) {
    const piece = await reader?.read();
    if (piece === undefined || piece.done) return;
    line.renew();
    parser.feed(letters.decode(piece.value, { stream: true }));
    yield* ready.splice(0);
  }
}

function take(event: EventSourceMessage, following: Following, progress: Progress): void {
  const id = Number(event.id ?? "");
  if (Number.isInteger(id) && id > 0) {
    if (id <= progress.lastId) return;
    progress.lastId = id;
  }
  const name = event.event ?? "";
  if (!NAMES.has(name)) return;
  const parsed = { name, ...JSON.parse(event.data) } as RunEvent;
  if (parsed.name === "state")
    progress.ended = ["stopped", "failed", "replaced", "done"].includes(parsed.state);
  if (parsed.name === "done") progress.done = true;
  following.onEvent(parsed);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
