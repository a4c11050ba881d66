/** The review page at the desk: reading, deciding, putting aside, settling, changing. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test } from "vitest";
import DeskPage from "../../src/app/DeskPage";
import { dropDraft } from "../../src/features/review/draft";
import { expectNoViolations } from "../axe";
import { empty, FakeServer, json, problem } from "../fakeServer";
import { caseSummary, status } from "../samples";
import { next, opinion, progress, reviewItem } from "./samples";

const NEXT = "GET /api/staff/reviews/next";
const ITEM = "GET /api/staff/reviews/*";
const DECIDE = "PUT /api/staff/reviews/*/decision";
const SKIP = "POST /api/staff/reviews/*/skip";
const second = reviewItem({
  item: "b".repeat(64),
  level: "none",
  turns: [{ role: "visitor", text: "第二条" }],
});

let server: FakeServer;

beforeEach(() => {
  dropDraft("a".repeat(64));
  dropDraft("b".repeat(64));
  server = new FakeServer({
    "GET /api/status": () => json(status),
    "GET /api/staff/me": () => json({ name: "林老师", role: "counsellor" }),
    "GET /api/staff/cases": () => json([]),
    [NEXT]: () => json(next(reviewItem())),
    [DECIDE]: () => json(progress()),
    [SKIP]: () => empty(),
  });
});

function openReview() {
  window.history.replaceState(null, "", "/desk/review");
  render(<DeskPage />);
  return userEvent.setup();
}

async function opened() {
  const user = openReview();
  await screen.findByRole("radio", { name: /^(可以用|应当留下)$/ });
  return user;
}

const send = () => screen.getByRole("button", { name: "记下我的决定" });

test("the desk leads to the review, which shows the text, how far it is, and where help is", async () => {
  window.history.replaceState(null, "", "/desk");
  render(<DeskPage />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("link", { name: "审阅语料" }));
  expect(await screen.findByText("我很难受")).toBeDefined();
  expect(screen.getByText("共 3 条，已定 1 条，你看过 1 条，还有 2 条等你")).toBeDefined();
  expect(screen.getByText("有风险")).toBeDefined();
  await user.click(screen.getByText(/读得难受/));
  expect(screen.getAllByRole("link", { name: /12356/ }).length).toBeGreaterThan(0);
  await expectNoViolations();
});

test("accepting sends the decision and brings the next text", async () => {
  const user = await opened();
  await user.click(screen.getByRole("radio", { name: "可以用" }));
  server.on(NEXT, () => json(next(second)));
  await user.click(send());
  expect(await screen.findByText("第二条")).toBeDefined();
  expect(screen.getByText("已记下。")).toBeDefined();
  const sent = server.of(DECIDE)[0];
  expect(sent?.path).toBe(`/api/staff/reviews/${"a".repeat(64)}/decision`);
  expect(sent?.body).toEqual({ verdict: "accept", reason: null, note: "", edited: null });
});

test("a rejection asks for a reason first", async () => {
  const user = await opened();
  await user.click(screen.getByRole("radio", { name: "不能用" }));
  await user.click(send());
  expect((await screen.findByRole("alert")).textContent).toBe("先选一个原因。");
  expect(server.of(DECIDE)).toHaveLength(0);
  await user.click(screen.getByRole("radio", { name: "没有回应危险" }));
  await user.click(send());
  await waitFor(() => expect(server.of(DECIDE)).toHaveLength(1));
  expect(server.of(DECIDE)[0]?.body).toMatchObject({ verdict: "reject", reason: "ignores_crisis" });
});

test("an edit sends the new words in their places, and says what becomes of strategy marks", async () => {
  server.on(NEXT, () => json(next(reviewItem({ has_spans: true }))));
  const user = await opened();
  await user.click(screen.getByRole("radio", { name: "修改后用" }));
  expect(screen.getByText(/策略标注/)).toBeDefined();
  await user.click(send());
  expect((await screen.findByRole("alert")).textContent).toContain("还没有改动");
  const box = screen.getByRole("textbox", { name: "2 咨询师" });
  await user.clear(box);
  await user.type(box, "听起来真的很难受。");
  await user.click(send());
  await waitFor(() => expect(server.of(DECIDE)).toHaveLength(1));
  expect(server.of(DECIDE)[0]?.body["edited"]).toMatchObject({ turns: ["我很难受", "听起来真的很难受。"] });
  await expectNoViolations();
});

test("keys choose, are silent while somebody writes, and can be switched off", async () => {
  const user = await opened();
  await user.keyboard("r");
  expect((screen.getByRole("radio", { name: "不能用" }) as HTMLInputElement).checked).toBe(true);
  await user.type(screen.getByRole("textbox", { name: /备注/ }), "area");
  expect((screen.getByRole("radio", { name: "不能用" }) as HTMLInputElement).checked).toBe(true);
  await user.click(screen.getByRole("checkbox", { name: /使用按键/ }));
  await user.keyboard("a");
  expect((screen.getByRole("radio", { name: "不能用" }) as HTMLInputElement).checked).toBe(true);
});

test("a text can be put aside without a reason", async () => {
  const user = await opened();
  server.on(NEXT, () => json(next(null, { for_me: 0 })));
  await user.click(screen.getByRole("button", { name: "今天不看这条" }));
  expect(await screen.findByText("好的，今天不再给你看那条。")).toBeDefined();
  expect(screen.getByText(/现在没有等你看的文字/)).toBeDefined();
  expect(server.of(SKIP)).toHaveLength(1);
  expect(server.of(DECIDE)).toHaveLength(0);
});

test("a text that cleaning left out says why and asks whether that was right", async () => {
  server.on(NEXT, () => json(next(reviewItem({ dropped_for: "little_chinese" }))));
  const user = await opened();
  expect(screen.getByText(/清洗时去掉了这条，原因：little_chinese/)).toBeDefined();
  await user.click(screen.getByRole("radio", { name: "去掉是对的" }));
  await user.click(send());
  await waitFor(() => expect(server.of(DECIDE)).toHaveLength(1));
});

test("who settles sees both decisions without names and may start from an edit", async () => {
  const edited = { title: "", text: "", turns: ["我很难受", "我在听。"], answers: [] };
  const others = [
    opinion({ verdict: "reject", reason: "harmful", note: "像在责怪" }),
    opinion({ verdict: "edit", edited }),
  ];
  server.on(NEXT, () => json(next(reviewItem({ state: "disputed", others }))));
  const user = await opened();
  const both = screen.getByRole("region", { name: "另外两位的决定" });
  expect(within(both).getByText("审阅人 1：不能用")).toBeDefined();
  expect(within(both).getByText("像在责怪")).toBeDefined();
  await user.click(within(both).getByRole("button", { name: "从这一份改起" }));
  expect((screen.getByRole("textbox", { name: "2 咨询师" }) as HTMLTextAreaElement).value).toBe("我在听。");
  await expectNoViolations();
});

test("an own decision is opened again and changed", async () => {
  const changeable = [
    { item: "b".repeat(64), verdict: "accept" as const, decided_at: "2026-11-25T08:00:00Z" },
  ];
  const own = opinion({ verdict: "accept" });
  server.on(NEXT, () => json(next(reviewItem(), { changeable })));
  server.on(ITEM, () => json({ ...second, own }));
  server.on(NEXT, () => json(next(reviewItem(), { changeable })));
  const user = await opened();
  await user.click(screen.getByText("还可以改的决定（1）"));
  await user.click(screen.getByRole("button", { name: /可以用/ }));
  expect(await screen.findByText("你之前已经决定过这条，现在可以改。")).toBeDefined();
  expect(screen.getByText("第二条")).toBeDefined();
});

test("what others settled meanwhile is told, and the next text comes", async () => {
  server.on(DECIDE, () => problem(409, "PSY-504"));
  const user = await opened();
  await user.click(screen.getByRole("radio", { name: "可以用" }));
  server.on(NEXT, () => json(next(second)));
  await user.click(send());
  expect(await screen.findByText(/别人已经把那条定下来了/)).toBeDefined();
  expect(screen.getByText("第二条")).toBeDefined();
});

test("a decision survives an expired session", async () => {
  server.on(DECIDE, () => problem(401));
  const user = await opened();
  await user.click(screen.getByRole("radio", { name: "不能用" }));
  await user.click(screen.getByRole("radio", { name: "广告" }));
  await user.click(send());
  expect(await screen.findByRole("heading", { name: "辅导员登录" })).toBeDefined();
  server.on("POST /api/staff/login", () => json({ name: "林老师", role: "counsellor" }));
  await user.type(screen.getByLabelText("姓名"), "林老师");
  await user.type(screen.getByLabelText("密码"), "right{Enter}");
  const again = await screen.findByRole("radio", { name: "广告" });
  expect((again as HTMLInputElement).checked).toBe(true);
});

test("without a sample, and when all is done, the page says so", async () => {
  server.on(NEXT, () => json(next(null, { total: 0, for_me: 0 })));
  openReview();
  expect(await screen.findByText(/还没有抽样/)).toBeDefined();
});

test("a case that waits is told to whoever reviews, for visitors are told that somebody is there", async () => {
  server.on("GET /api/staff/cases", () => json([caseSummary(), caseSummary({ id: "case-000002" })]));
  await opened();
  expect(await screen.findByText("有 2 个个案在等人接手。")).toBeDefined();
  expect(document.title).toBe("（2）辅导台");
});

test("a near duplicate stands beside the text that stays", async () => {
  const stays = { title: "", text: "", turns: ["我好难受"], answers: [] };
  server.on(NEXT, () => json(next(reviewItem({ dropped_for: "near_duplicate", stays }))));
  await opened();
  expect(screen.getByText("我好难受")).toBeDefined();
  await expectNoViolations();
});
