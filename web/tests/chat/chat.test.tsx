/** The open conversation: answers as what they are, another view, stopping, help first, lost lines. */
import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";
import { ASK, answered, ask, EVENTS, fakeService, openPage, READ, RUNS, SAY } from "../app/visitor";
import { expectNoViolations } from "../axe";
import { json, Line, problem } from "../fakeServer";
import { conversation, libraryAnswer, message, modelAnswer, notice, turn, urgentTurn } from "../samples";

const log = () => screen.findByRole("log", { name: "对话" });
const another = () => screen.findByRole("button", { name: "换一种说法看看" });

test("a library answer is shown as what it is", async () => {
  fakeService();
  const user = openPage();
  await ask(user);
  const answer = (await screen.findByRole("heading", { name: "找到的回答" })).closest(
    "article",
  ) as HTMLElement;
  expect(within(answer).getByText(/《总是醒着》/)).toBeDefined();
  expect(within(answer).getByText(/没有专业人员审过.*相近的文字.*不是咨询/)).toBeDefined();
  await another();
  await expectNoViolations();
});

test("a weak match is not called near", async () => {
  const server = fakeService();
  const far = { ...libraryAnswer, source: libraryAnswer.source && { ...libraryAnswer.source, match: 0.2 } };
  server.on(READ, () => json(conversation({ messages: [message(), far] })));
  await ask(openPage());
  expect(await screen.findByText("没有找到很像的，最接近的一篇是：《总是醒着》")).toBeDefined();
});

test("a reviewed answer names who reviewed it", async () => {
  const server = fakeService();
  const reviewed = {
    ...libraryAnswer,
    source: libraryAnswer.source && { ...libraryAnswer.source, reviewed_by: "王医生" },
  };
  server.on(READ, () => json(conversation({ messages: [message(), reviewed] })));
  await ask(openPage());
  expect(await screen.findByText(/由王医生审过/)).toBeDefined();
});

test("another view comes sentence by sentence, labelled as generated, and ends as a message to rate", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  const line = new Line();
  server.on(EVENTS, () => line.response);
  await user.click(await another());
  expect(await screen.findByText(/前面还有人/)).toBeDefined();
  line
    .send(1, { name: "state", state: "running" })
    .send(2, { name: "sentence", text: "夜里会显得很长。", message_id: "m3" });
  expect(await within(await log()).findByText("夜里会显得很长。")).toBeDefined();
  expect(screen.getByText(/由程序（AI）生成/)).toBeDefined();
  const spoken = screen.getByText("夜里会显得很长。");
  line.send(3, { name: "sentence", text: "你已经在照顾自己了。", message_id: "m3" });
  await screen.findByText("你已经在照顾自己了。");
  server.on(READ, () => json({ ...answered, messages: [...answered.messages, modelAnswer] }));
  line.send(4, { name: "done", message_id: "m3", version: 4 });
  await waitFor(() => expect(screen.getAllByRole("button", { name: "给这段回答评分" })).toHaveLength(2));
  // The same node from first sound to last: a screen reader hears each sentence once.
  expect(screen.getByText("夜里会显得很长。")).toBe(spoken);
  expect(server.of(RUNS)).toHaveLength(1);
});

test("without the model another view is announced as one more that is found", async () => {
  const server = fakeService();
  server.on("GET /api/status", () =>
    json({ mode: "trial", counsellor_present: false, generation: "off", version: "1" }),
  );
  await ask(openPage());
  expect((await another()).getAttribute("aria-describedby")).toBe("another-note");
  expect(screen.getByText("再找一篇相近的给你看。")).toBeDefined();
});

test("stopping asks the server once and keeps what was released", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  const line = new Line().send(1, { name: "sentence", text: "夜里会显得很长。", message_id: "m3" });
  server.on(EVENTS, () => line.response);
  await user.click(await another());
  await screen.findByText("夜里会显得很长。");
  server.on(READ, () =>
    json({ ...answered, messages: [...answered.messages, { ...modelAnswer, text: "夜里会显得很长。" }] }),
  );
  await user.click(screen.getByRole("button", { name: "停下" }));
  line.send(2, { name: "state", state: "stopped" }).send(3, { name: "done", message_id: "m3", version: 4 });
  expect(await screen.findByText("已经停下。")).toBeDefined();
  expect(screen.getByText("夜里会显得很长。")).toBeDefined();
  expect(server.of("POST /api/runs/*/stop")).toHaveLength(1);
});

test("a withdrawn answer leaves the screen, another stands in its place, and the page says so", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  const line = new Line().send(1, { name: "sentence", text: "不该说的话。", message_id: "m3" });
  server.on(EVENTS, () => line.response);
  await user.click(await another());
  await screen.findByText("不该说的话。");
  const instead = message({ id: "m4", seq: 4, author: "library", text: "换成这一段。" });
  server.on(READ, () => json({ ...answered, messages: [...answered.messages, instead] }));
  line
    .send(2, { name: "replaced", message: instead, reason: "guard" })
    .send(3, { name: "done", message_id: "m4", version: 4 });
  expect(await screen.findByText("换成这一段。")).toBeDefined();
  expect(screen.queryByText("不该说的话。")).toBeNull();
  expect(screen.getByText(/已经收回/)).toBeDefined();
});

test("an urgent message shows the card before any reply, tells it at once, and asks for no answer", async () => {
  const server = fakeService();
  server.on(ASK, () => json(urgentTurn, 201));
  server.on(READ, () =>
    json(conversation({ level: "urgent", help: true, case: "open", messages: [message(), notice] })),
  );
  await ask(openPage(), "我不想活了");
  const card = await screen.findByRole("region", { name: "现在就可以打的电话" });
  const reply = screen.getByText("谢谢你愿意说出来。");
  expect(card.compareDocumentPosition(reply) & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  expect(within(await log()).getByRole("link", { name: /^120/ })).toBeDefined();
  expect(screen.getByRole("alert").textContent).toMatch(/先看这里.*120/);
  expect(screen.queryByRole("button", { name: "换一种说法看看" })).toBeNull();
  expect(server.of(EVENTS)).toHaveLength(0);
  await expectNoViolations();
});

test("distress mentions help quietly, and the mention opens the card", async () => {
  const server = fakeService();
  server.on(ASK, () => json(turn({ level: "distress" }), 201));
  server.on(READ, () => json({ ...answered, level: "distress" }));
  const user = openPage();
  await ask(user);
  expect(await screen.findByText(/也可以打 12356/)).toBeDefined();
  expect(screen.queryByRole("region", { name: "现在就可以打的电话" })).toBeNull();
  await user.click(screen.getByRole("button", { name: "看电话" }));
  expect(screen.getByRole("region", { name: "求助电话" })).toBeDefined();
});

test("a further message keeps its words when it fails, and the box is empty when it is taken", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  await another();
  const box = screen.getByRole("textbox", { name: "接着说" }) as HTMLTextAreaElement;
  server.down = true;
  await user.type(box, "还有一点");
  await user.click(screen.getByRole("button", { name: "发送" }));
  expect((await screen.findByRole("alert")).textContent).toContain("你写的还在");
  expect(box.value).toBe("还有一点");
  server.down = false;
  await user.click(screen.getByRole("button", { name: "发送" }));
  await waitFor(() => expect(box.value).toBe(""));
  const keys = server.of(SAY).map(({ body }) => body["request_key"]);
  expect(new Set(keys).size).toBe(1);
  expect(screen.queryByRole("alert")).toBeNull();
});

test("Ctrl and Enter send, Enter alone begins a new line", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  await another();
  const box = screen.getByRole("textbox", { name: "接着说" }) as HTMLTextAreaElement;
  await user.type(box, "一{Enter}二");
  expect(server.of(SAY)).toHaveLength(0);
  await user.keyboard("{Control>}{Enter}{/Control}");
  await waitFor(() => expect(server.of(SAY)).toHaveLength(1));
  expect(server.of(SAY)[0]?.body["text"]).toBe("一\n二");
});

test("a view that the server refuses is told calmly, and the newest state is fetched", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  server.on(RUNS, () => problem(409, "PSY-504"));
  server.on(READ, () => json({ ...answered, owner: "person", case: "taken", may_view: false }));
  await user.click(await another());
  expect(await screen.findByText(/辅导员已经接手/)).toBeDefined();
  expect(screen.getByRole("alert").textContent).toContain("对话刚刚有变化");
});

test("a view refused since a false alarm is not offered again, and a retry looks instead of asking", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  server.on(RUNS, () => problem(409, "PSY-504"));
  server.on(READ, () => json({ ...answered, case: "closed", may_view: false }));
  await user.click(await another());
  await waitFor(() => expect(screen.queryByRole("button", { name: "换一种说法看看" })).toBeNull());
  await user.click(screen.getByRole("button", { name: "再试一次" }));
  await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
  expect(server.of(RUNS)).toHaveLength(1);
});

test("a retry of another view has the same key, so the server makes one answer", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  server.on(RUNS, () => problem(503));
  await user.click(await another());
  await user.click(await screen.findByRole("button", { name: "再试一次" }));
  await waitFor(() => expect(server.of(RUNS)).toHaveLength(2));
  const keys = server.of(RUNS).map(({ body }) => body["request_key"]);
  expect(keys[0]).toBe(keys[1]);
});

test("another matter starts with an empty page, and the old one is forgotten by the tab", async () => {
  fakeService();
  const user = openPage();
  await ask(user);
  await another();
  await user.click(screen.getByRole("button", { name: "说另一件事" }));
  const title = screen.getByRole("textbox", { name: "用一句话说说是什么事" }) as HTMLInputElement;
  expect(title.value).toBe("");
  expect(sessionStorage.getItem("psyllm.conversation")).toBeNull();
  expect(document.activeElement).toBe(screen.getByRole("heading", { level: 1 }));
});

test("words that may have been lost in one conversation are new words in the next", async () => {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  await another();
  server.down = true;
  await user.type(screen.getByRole("textbox", { name: "接着说" }), "还有{Enter}一点");
  await user.click(screen.getByRole("button", { name: "发送" }));
  await screen.findByRole("alert");
  await user.click(screen.getByRole("button", { name: "说另一件事" }));
  server.down = false;
  await user.type(screen.getByRole("textbox", { name: "用一句话说说是什么事" }), "还有");
  await user.type(screen.getByRole("textbox", { name: /想多说一点/ }), "一点");
  await user.click(screen.getByRole("button", { name: "写好了，发送" }));
  await waitFor(() => expect(server.of(ASK)).toHaveLength(2));
  expect(server.of(ASK)[1]?.body["request_key"]).not.toBe(server.of(SAY)[0]?.body["request_key"]);
});
