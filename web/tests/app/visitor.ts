/** The visitor's whole page on a fake server that answers like the real one; each test changes a route. */
import { render, screen } from "@testing-library/react";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import { createElement } from "react";
import { VisitorPage } from "../../src/app/VisitorPage";
import { empty, FakeServer, json, Line } from "../fakeServer";
import { conversation, libraryAnswer, message, rating, run, status, turn } from "../samples";

export const ASK = "POST /api/conversations";
export const SAY = "POST /api/conversations/*/messages";
export const READ = "GET /api/conversations/*";
export const RUNS = "POST /api/conversations/*/runs";
export const EVENTS = "GET /api/runs/*/events";

export const answered = conversation({ version: 3, messages: [message(), libraryAnswer] });

export function answering(): Line {
  return new Line()
    .send(1, { name: "state", state: "running" })
    .send(2, { name: "message", message: libraryAnswer })
    .send(3, { name: "state", state: "done" })
    .send(4, { name: "done", message_id: "m2", version: 3 });
}

export function fakeService(): FakeServer {
  return new FakeServer({
    "GET /api/status": () => json(status),
    "GET /api/conversations": () => json([]),
    [ASK]: () => json(turn(), 201),
    [SAY]: () => json(turn({ message: message({ id: "m9", seq: 9, text: "还有一点" }) }), 201),
    [READ]: () => json(answered, 200, { ETag: '"3"' }),
    [EVENTS]: () => answering().response,
    [RUNS]: () => json({ ...run, id: "r2", kind: "generated", state: "queued" }, 201),
    "POST /api/runs/*/stop": () => json(run, 202),
    "POST /api/conversations/*/person": () => json({ case_open: true, counsellor_present: false }, 201),
    "POST /api/messages/*/rating": () => json(rating, 201),
    "GET /api/me/export": () => json({ conversations: [] }),
    "DELETE /api/me": () => empty(),
  });
}

export function openPage(): UserEvent {
  render(createElement(VisitorPage));
  return userEvent.setup();
}

/** Write the first question and send it. */
export async function ask(user: UserEvent, title = "最近总是睡不着"): Promise<void> {
  await user.type(screen.getByRole("textbox", { name: "用一句话说说是什么事" }), title);
  await user.click(screen.getByRole("button", { name: "写好了，发送" }));
}
