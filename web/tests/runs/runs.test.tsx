/** The pages of trainings at the desk: the list, one run, growing by itself, laid over another, faults. */
import { fireEvent, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import DeskPage from "../../src/app/DeskPage";
import { expectNoViolations } from "../axe";
import { FakeServer, json, problem } from "../fakeServer";
import { caseSummary, status } from "../samples";
import { curve, detail, devLine, line, now, summary } from "./samples";

const LIST = "GET /api/staff/trainings";
const RUN = "GET /api/staff/trainings/*";
const CURVE = "GET /api/staff/trainings/*/curve";
const NAME = "model-aaaaaaaaaaaa";
const lines = [line(10), line(20), devLine(20, 7), line(30), devLine(30, 6.5)];

let server: FakeServer;

beforeEach(() => {
  server = new FakeServer({
    "GET /api/status": () => json(status),
    "GET /api/staff/me": () => json({ name: "陈督导", role: "supervisor" }),
    "GET /api/staff/cases": () => json([]),
    [LIST]: () => json([summary()]),
    [RUN]: () => json(detail()),
    [CURVE]: () => json(curve(lines)),
  });
});

function open(path = `/desk/runs/${NAME}`) {
  window.history.replaceState(null, "", path);
  render(<DeskPage />);
  return userEvent.setup();
}

const slider = () => screen.findByRole("slider", { name: "在曲线上移动" });

test("a supervisor finds the trainings, sees which is in use, and opens one", async () => {
  const user = open("/desk");
  await user.click(await screen.findByRole("link", { name: "模型训练" }));
  const row = await screen.findByRole("link", { name: /model-a/ });
  expect(row.textContent).toMatch(/已完成正在使用.*2,557,632 个参数.*第 100 步（计划 120 步）.*最低 6.431/);
  await expectNoViolations();
  await user.click(row);
  expect(window.location.pathname).toBe(`/desk/runs/${NAME}`);
  expect(await slider()).toBeDefined();
  expect(screen.getByRole("heading", { level: 1 }).textContent).toBe(NAME);
});

test("a counsellor is not led there, and an address typed by hand shows the cases", async () => {
  server.on("GET /api/staff/me", () => json({ name: "林老师", role: "counsellor" }));
  open("/desk/runs");
  expect(await screen.findByRole("heading", { name: "个案" })).toBeDefined();
  expect(screen.queryByRole("link", { name: "模型训练" })).toBeNull();
  expect(server.of(LIST)).toHaveLength(0);
});

test("a run shows its curves in words, too, what differs from the defaults, and where it comes from", async () => {
  open();
  const chart = await screen.findByRole("img", { name: /续训的损失曲线/ });
  expect(chart.textContent).toContain("训练损失从 7.900 到 7.700。");
  expect(chart.textContent).toContain("验证损失从 7.000 到 6.500。");
  const settings = screen.getByRole("region", { name: "设置" });
  const [first] = within(settings).getAllByRole("rowheader");
  expect(first?.textContent).toBe("adapt.steps");
  const origin = screen.getByRole("region", { name: "从哪里来" });
  const chain = within(origin).getAllByRole("listitem").slice(0, 3);
  expect(chain.map((one) => one.textContent?.trim())).toEqual([
    "基础模型 wenzhong",
    "先前训练的模型 model-dddddddddddd",
    "续训",
  ]);
  const before = within(origin).getByRole("link", { name: "model-dddddddddddd" });
  expect(before.getAttribute("href")).toBe("/desk/runs/model-dddddddddddd");
  expect(within(origin).getByText("只能用于研究，不能给来访者用")).toBeDefined();
  expect(screen.getByText("6.61 [6.5 到 6.8]")).toBeDefined();
  await expectNoViolations();
});

test("keys move along the curve and its values are read out", async () => {
  open();
  const reader = await slider();
  expect(reader.getAttribute("aria-valuetext")).toBe("第 30 步 · 训练损失 7.700 · 验证损失 6.500");
  fireEvent.change(reader, { target: { value: "0" } });
  expect(reader.getAttribute("aria-valuetext")).toBe("第 10 步 · 训练损失 7.900");
  expect(screen.getByText("训练损失 7.900")).toBeDefined();
});

test("the pointer moves along the curve as well", async () => {
  open();
  const reader = await slider();
  const chart = screen.getByRole("img", { name: /续训的损失曲线/ });
  fireEvent.pointerMove(chart, { clientX: 240 });
  expect(reader.getAttribute("aria-valuetext")).toMatch(/^第 10 步/);
});

test("the numbers stand in a table, too", async () => {
  const user = open();
  await slider();
  await user.click(screen.getByText("看数字表"));
  const table = screen.getByRole("table", { name: "续训的曲线" });
  const row = within(table).getByRole("rowheader", { name: "20" }).closest("tr");
  expect(row?.textContent).toBe("207.8007.0001.00e-3");
});

test("another training is laid over this one and taken away again", async () => {
  const other = summary({ name: "model-dddddddddddd", in_use: false });
  server.on(LIST, () => json([summary(), other]));
  const user = open();
  await slider();
  server.on(CURVE, ({ path }) => json(curve(path.includes("model-d") ? [line(40), devLine(40, 5)] : lines)));
  await user.selectOptions(screen.getByRole("combobox", { name: "和另一次训练比" }), other.name);
  expect(await screen.findByText("验证损失（model-dddddd）")).toBeDefined();
  expect((await slider()).getAttribute("aria-valuetext")).toBe(
    "第 40 步 · 训练损失（model-dddddd） 7.600 · 验证损失（model-dddddd） 5.000",
  );
  await expectNoViolations();
  await user.selectOptions(screen.getByRole("combobox"), "");
  expect((await slider()).getAttribute("aria-valuetext")).toBe("第 30 步 · 训练损失 7.700 · 验证损失 6.500");
});

test("a running training grows by itself, from where it was read, and says what it does", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  server.on(RUN, () => json(detail({ summary: summary({ state: "running" }), permit: null, report: null })));
  server.on(CURVE, () => json(curve(lines, { state: "running", next: 400, now: now() })));
  open();
  expect(await screen.findByText("续训，第 20 步，共 120 步")).toBeDefined();
  expect(screen.getByText("正在测验证损失")).toBeDefined();
  expect(screen.getByText("41%")).toBeDefined();
  expect(screen.getByText(/3:07/)).toBeDefined();
  await expectNoViolations();
  server.on(CURVE, () => json(curve([line(40)], { start: 400, next: 480 })));
  await vi.advanceTimersByTimeAsync(3_100);
  await vi.waitFor(() =>
    expect(screen.getByRole("slider").getAttribute("aria-valuetext")).toMatch(/^第 40 步 · 训练损失 7.600/),
  );
  expect(server.of(CURVE).map(({ path }) => path.split("start=")[1])).toEqual(["0", "400"]);
  expect(screen.queryByRole("heading", { name: "现在" })).toBeNull();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(server.of(CURVE)).toHaveLength(2);
  vi.useRealTimers();
});

test("long curves come in parts, one after the other", async () => {
  server.on(CURVE, ({ path }) =>
    json(
      path.endsWith("start=0") ? curve(lines, { more: true }) : curve([line(40)], { start: 100, next: 140 }),
    ),
  );
  open();
  await vi.waitFor(async () => expect((await slider()).getAttribute("aria-valuetext")).toMatch(/^第 40 步/));
});

test.each([
  ["interrupted", /训练中断了。运行 psyllm train resume model-aaaaaaaaaaaa 会/],
  ["unreadable", /manifest.json 读不了/],
] as const)("a training that is %s says so, and shows what there is", async (state, words) => {
  server.on(CURVE, () => json(curve([], { state })));
  server.on(RUN, () =>
    json(
      detail({
        summary: summary({ state, stages: [] }),
        settings: [],
        corpus: null,
        report: null,
        machine: [],
        versions: [],
        seconds: null,
        peak_memory_mb: null,
      }),
    ),
  );
  open();
  expect(await screen.findByText(words)).toBeDefined();
  expect(screen.getByText("还没有可以画的点。")).toBeDefined();
  expect(screen.getByText("这次训练没有留下设置。")).toBeDefined();
  expect(screen.getByText("这次训练没有记下机器。")).toBeDefined();
  await expectNoViolations();
});

test("what learning from ratings loses is not called nats a token", async () => {
  server.on(CURVE, () => json(curve([line(10, { stage: "prefer", loss: 0.69 })])));
  open();
  const prefer = await screen.findByRole("region", { name: "按评分调整的曲线" });
  expect(within(prefer).getByText(/偏好损失/)).toBeDefined();
  expect(within(prefer).queryByText("损失（nats / 词元）")).toBeNull();
  expect(prefer.querySelectorAll(".chart circle")).toHaveLength(1);
});

test("a training that is not there leads back to the list", async () => {
  server.on(RUN, () => problem(404, "PSY-501"));
  server.on(CURVE, () => problem(404, "PSY-501"));
  open();
  expect(await screen.findByText(/没有这次训练/)).toBeDefined();
  expect(screen.getByRole("link", { name: "回到训练列表" })).toBeDefined();
});

test("without trainings, and without a server, the list says so", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  server.on(LIST, () => json([]));
  open("/desk/runs");
  expect(await screen.findByText(/还没有训练/)).toBeDefined();
  server.down = true;
  await vi.advanceTimersByTimeAsync(5_100);
  expect((await screen.findByRole("alert")).textContent).toContain("看到的可能是旧的");
  vi.useRealTimers();
});

test("a session that ran out asks to sign in again", async () => {
  server.on(CURVE, () => problem(401));
  open();
  expect(await screen.findByRole("heading", { name: "辅导员登录" })).toBeDefined();
});

test("a case that waits is told here as well", async () => {
  server.on("GET /api/staff/cases", () => json([caseSummary()]));
  open("/desk/runs");
  expect(await screen.findByText("有 1 个个案在等人接手。")).toBeDefined();
});

test("the pages speak English, too", async () => {
  document.documentElement.lang = "en";
  open();
  expect(await screen.findByRole("slider", { name: "Move along the curve" })).toBeDefined();
  expect(screen.getByText("Research only; not for visitors")).toBeDefined();
});
