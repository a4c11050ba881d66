/** One case at the desk, from open to answered, for the tests of its pages. */
import { act, render, screen } from "@testing-library/react";
import userEvent, { type UserEvent } from "@testing-library/user-event";
import { onTestFinished, vi } from "vitest";
import DeskPage from "../../src/app/DeskPage";
import { forgetDrafts } from "../../src/lib/drafts";
import { empty, FakeServer, json, problem } from "../fakeServer";
import { caseDetail, caseSummary, conversation, message, notice, status } from "../samples";

export const ME = "GET /api/staff/me";
export const LIST = "GET /api/staff/cases";
export const CASE = "GET /api/staff/cases/*";
const TAKE = "POST /api/staff/cases/*/take";
export const ANSWER = "POST /api/staff/cases/*/messages";
export const CLOSE = "POST /api/staff/cases/*/close";
export const me = { name: "林老师", role: "counsellor" };

export const talk = conversation({ version: 3, level: "urgent", help: true, messages: [message(), notice] });
export const open = caseDetail({ conversation: talk });
export const mine = caseDetail({
  case: caseSummary({ state: "taken", assignee: "林老师" }),
  conversation: { ...talk, version: 4, owner: "person", case: "taken" },
});
const later = message({ id: "m8", seq: 3, text: "老师，我还在。" });
export const moved = caseDetail({
  case: mine.case,
  conversation: { ...mine.conversation, version: 5, messages: [...talk.messages, later] },
});

export const own = message({ id: "p1", seq: 4, author: "counsellor", text: "你好，我在。" });
export const answered = caseDetail({
  case: mine.case,
  conversation: { ...mine.conversation, version: 5, messages: [...talk.messages, own] },
});

/** The server of the test that runs; made anew by `startServer`. */
export let server: FakeServer;

/** Start a server with one open case, and a page without any draft. */
export function startServer(): void {
  forgetDrafts();
  server = new FakeServer({
    "GET /api/status": () => json(status),
    [ME]: () => json(me),
    [LIST]: () => json([caseSummary()]),
    [CASE]: () => json(open),
    [TAKE]: () => json(mine),
    [ANSWER]: () => json(own, 201),
    [CLOSE]: () => json(caseDetail({ case: caseSummary({ state: "closed" }) })),
    "POST /api/staff/login": () => json(me),
    "POST /api/staff/logout": () => empty(),
  });
}

export function openDesk(path = "/desk") {
  window.history.replaceState(null, "", path);
  render(<DeskPage />);
  return userEvent.setup();
}

export const box = () => screen.findByRole("textbox", { name: "回复来访者" });

export async function openMine() {
  server.on(CASE, () => json(mine));
  const user = openDesk("/desk/cases/case-000001");
  await box();
  return user;
}

/** The versions with which replies went out so far. */
export const bases = () => server.of(ANSWER).map(({ body }) => body["base_version"]);
export const send = () => screen.getByRole("button", { name: "发出回复" });
export const said = () => screen.queryAllByRole("alert").map((alert) => alert.textContent);
export const held = async () => ((await box()) as HTMLTextAreaElement).value;
export const onlyNewest = (version: number) =>
  server.on(ANSWER, ({ body }) =>
    body["base_version"] === version ? json(own, 201) : problem(409, "PSY-503"),
  );
export const gone = () => {
  throw new TypeError("Failed to fetch");
};

/** Let the test move the clock. */
export function holdTheClock(): void {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  onTestFinished(() => void vi.useRealTimers());
}

/** Open the taken case with a draft, on a clock that the test moves. */
export async function openWithDraft(text: string) {
  holdTheClock();
  const user = await openMine();
  await user.type(await box(), text);
  return user;
}

export const look = () => act(() => vi.advanceTimersByTimeAsync(5_100));
export const read = () => act(() => vi.advanceTimersByTimeAsync(2_100));

/** Let a route hang; what is returned gives its answer. */
export function answerLater(route: string): (answer: Response) => void {
  let arrive: (answer: Response) => void = () => undefined;
  server.on(route, () => new Promise((resolve) => (arrive = resolve)));
  return (answer) => arrive(answer);
}

/** Press, and go to the list before the answer has come; what is returned gives it. */
export async function pressAndLeave(user: UserEvent) {
  const arrive = answerLater(ANSWER);
  await user.click(send());
  await toTheList(user);
  return arrive;
}

export async function toTheList(user: UserEvent) {
  await user.click(screen.getByRole("link", { name: "回到列表" }));
}

export async function backToTheCase(user: UserEvent) {
  await user.click(await screen.findByRole("link", { name: /紧急/ }));
}
