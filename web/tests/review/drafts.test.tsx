/** A draft at the desk is its writer's alone: whoever signs in next in the same tab sees nothing of it. */
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test } from "vitest";
import DeskPage from "../../src/app/DeskPage";
import { forgetDrafts } from "../../src/lib/drafts";
import { empty, FakeServer, json, problem } from "../fakeServer";
import { status } from "../samples";
import { next, reviewItem } from "./samples";

let server: FakeServer;

beforeEach(() => {
  forgetDrafts();
  server = new FakeServer({
    "GET /api/status": () => json(status),
    "GET /api/staff/me": () => json({ name: "林老师", role: "counsellor" }),
    "GET /api/staff/cases": () => json([]),
    "GET /api/staff/reviews/next": () => json(next(reviewItem())),
    "POST /api/staff/logout": () => empty(),
    "POST /api/staff/reviews/*/skip": () => problem(401),
  });
});

async function signInAs(user: ReturnType<typeof userEvent.setup>, name: string) {
  server.on("POST /api/staff/login", () => json({ name, role: "counsellor" }));
  await user.type(await screen.findByLabelText("姓名"), name);
  await user.type(screen.getByLabelText("密码"), "correct horse");
  await user.click(screen.getByRole("button", { name: "登录" }));
  await screen.findByRole("radio", { name: "不能用" });
}

async function withDraft() {
  window.history.replaceState(null, "", "/desk/review");
  render(<DeskPage />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("radio", { name: "不能用" }));
  await user.type(screen.getByRole("textbox", { name: /备注/ }), "只给自己看");
  return user;
}

async function shown(user: ReturnType<typeof userEvent.setup>) {
  const reject = screen.getByRole("radio", { name: "不能用" }) as HTMLInputElement;
  const chosen = reject.checked;
  await user.click(reject); // only then is there a place for a note
  const box = screen.getByRole("textbox", { name: /备注/ }) as HTMLTextAreaElement;
  return { chosen, note: box.value };
}

test.each(["林老师", "王老师"])("after a sign-out nothing of a draft is shown to %s", async (name) => {
  const user = await withDraft();
  await user.click(screen.getByRole("button", { name: "退出" }));
  await signInAs(user, name);
  expect(await shown(user)).toEqual({ chosen: false, note: "" });
});

test.each([
  ["林老师", { chosen: true, note: "只给自己看" }],
  ["王老师", { chosen: false, note: "" }],
])("when the session ran out a draft waits for its writer only: %s", async (name, expected) => {
  const user = await withDraft();
  await user.click(screen.getByRole("button", { name: "今天不看这条" }));
  await signInAs(user, name);
  expect(await shown(user)).toEqual(expected);
});
