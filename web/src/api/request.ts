/** One request to the server and its answer; every failure leaves as a `Failure`. */
import { languageTag } from "../lib/language";
import { asFailure, Failure, failureOf } from "./failure";
import { patience } from "./patience";

// Longer than the slowest answer of the server (a write waits at most 5 s for the database).
const TIMEOUT_MS = 20_000;

interface Options {
  body?: unknown;
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
}

/** Send a request and return what `read` makes of the response (a 2xx, or a 304). */
export async function request<Answer>(
  method: string,
  path: string,
  read: (response: Response) => Promise<Answer>,
  options: Options = {},
): Promise<Answer> {
  // The page may have been put into another language than the browser asks for.
  const headers: Record<string, string> = {
    Accept: "application/json",
    "Accept-Language": languageTag(),
    ...options.headers,
  };
  // The server refuses unsafe methods without it: another site's form can't set a header.
  if (method !== "GET") headers["X-Psy-Request"] = "1";
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  const waiting = patience(TIMEOUT_MS, options.signal);
  try {
    const response = await fetch(`/api${path}`, {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      signal: waiting.signal,
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    if (!response.ok && response.status !== 304) throw await failureOf(response);
    return await read(response);
  } catch (thrown) {
    throw waiting.ranOut() ? new Failure("slow") : asFailure(thrown);
  } finally {
    waiting.end();
  }
}

/** Send a request and return the JSON of its answer. */
export function ask<Answer>(method: string, path: string, options: Options = {}): Promise<Answer> {
  return request(method, path, (response) => response.json() as Promise<Answer>, options);
}

/** Send a request whose answer holds nothing that the page needs. */
export function send(method: string, path: string, options: Options = {}): Promise<void> {
  return request(method, path, async () => undefined, options);
}
