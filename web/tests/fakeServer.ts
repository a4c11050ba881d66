/** A server of a few lines that stands in for `fetch`: routes as functions, and lines of events to write on. */
import { vi } from "vitest";
import type { RunEvent } from "../src/api/types";

export interface Asked {
  method: string;
  path: string;
  body: Record<string, unknown>;
  headers: Headers;
  signal: AbortSignal | undefined;
}

type Route = (asked: Asked) => Response | Promise<Response>;

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json", ...headers },
  });
}

export function problem(status: number, code = "PSY-000", help = false): Response {
  return json({ type: "about:blank", title: "", status, detail: "", code, next: "", help }, status);
}

/** An answer with no body. */
export function empty(status = 204): Response {
  return new Response(null, { status });
}

export class FakeServer {
  readonly asked: Asked[] = [];
  /** When true nothing answers, as when the network is gone. */
  down = false;
  private readonly routes = new Map<string, Route>();

  constructor(routes: Record<string, Route> = {}) {
    for (const [name, route] of Object.entries(routes)) this.on(name, route);
    vi.stubGlobal("fetch", (path: string, init: RequestInit = {}) => this.answer(path, init));
  }

  /** Answer `"GET /api/status"` and the like; `*` in a path stands for one part. */
  on(name: string, route: Route): void {
    this.routes.set(name, route);
  }

  /** What was asked of a route so far. */
  of(name: string): Asked[] {
    return this.asked.filter((one) => matches(name, one));
  }

  private async answer(path: string, init: RequestInit): Promise<Response> {
    const asked: Asked = {
      method: init.method ?? "GET",
      path,
      body: init.body ? JSON.parse(String(init.body)) : {},
      headers: new Headers(init.headers),
      signal: init.signal ?? undefined,
    };
    this.asked.push(asked);
    await Promise.resolve();
    if (this.down) throw new TypeError("Failed to fetch");
    if (asked.signal?.aborted) throw new DOMException("aborted", "AbortError");
    for (const [name, route] of this.routes) if (matches(name, asked)) return route(asked);
    return problem(404, "PSY-501");
  }
}

function matches(name: string, { method, path }: Asked): boolean {
  const [wantedMethod, wanted = ""] = name.split(" ");
  const parts = wanted.split("/");
  const given = path.split("?")[0]?.split("/") ?? [];
  if (wantedMethod !== method || parts.length !== given.length) return false;
  return parts.every((part, place) => part === "*" || part === given[place]);
}

/** A stream of events that a test writes piece by piece; each piece is read before the next counts. */
export class Line {
  readonly response: Response;
  private readonly pieces: (Uint8Array | "end" | "tear")[] = [];
  private wake: () => void = () => undefined;

  constructor() {
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          while (this.pieces.length === 0) {
            await new Promise<void>((resolve) => {
              this.wake = resolve;
            });
          }
          const piece = this.pieces.shift();
          if (piece === "tear") controller.error(new TypeError("network error"));
          else if (piece === "end" || piece === undefined) controller.close();
          else controller.enqueue(piece);
        },
      },
      { highWaterMark: 0 },
    );
    this.response = new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  /** Write bytes as they are. */
  write(text: string | Uint8Array): this {
    return this.put(typeof text === "string" ? new TextEncoder().encode(text) : text);
  }

  send(id: number, event: RunEvent): this {
    return this.write(eventText(id, event));
  }

  end(): this {
    return this.put("end");
  }

  /** Break off, as a network does. */
  tear(): this {
    return this.put("tear");
  }

  private put(piece: Uint8Array | "end" | "tear"): this {
    this.pieces.push(piece);
    this.wake();
    return this;
  }
}

export function eventText(id: number, { name, ...data }: RunEvent, newline = "\n"): string {
  return [`id: ${id}`, `event: ${name}`, `data: ${JSON.stringify(data)}`, "", ""].join(newline);
}
