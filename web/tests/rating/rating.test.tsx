/** Rating an answer: four axes by mouse and keyboard, consent that is never ticked beforehand, words that stay. */
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { ratingOf, startOf } from "../../src/features/rating/marks";
import { Rating } from "../../src/features/rating/Rating";
import { expectNoViolations } from "../axe";
import { FakeServer, json, problem } from "../fakeServer";
import { libraryAnswer, rating } from "../samples";

const RATE = "POST /api/messages/*/rating";
const AXES = ["对你有帮助吗", "读起来通顺吗", "和你说的事有关吗", "讲得有条理吗"];

async function openForm(server = new FakeServer({ [RATE]: () => json(rating, 201) })) {
  const user = userEvent.setup();
  render(
    <main>
      <h1>x</h1>
      <h2>y</h2>
      <Rating message={libraryAnswer} />
    </main>,
  );
  await user.click(screen.getByRole("button", { name: "给这段回答评分" }));
  return { user, server };
}

const axis = (name: string) => within(screen.getByRole("group", { name }));

test("four marks and a comment are sent, without consent unless the box is ticked", async () => {
  const { user, server } = await openForm();
  const box = screen.getByRole("checkbox", { name: /我同意.*训练程序/ }) as HTMLInputElement;
  expect(box.checked).toBe(false);
  await expectNoViolations();
  for (const [place, name] of AXES.entries()) {
    await user.click(axis(name).getByRole("radio", { name: `${place + 2} 分` }));
  }
  await user.type(screen.getByRole("textbox", { name: "还想说的（可以不写）" }), " 还好 ");
  await user.click(screen.getByRole("button", { name: "提交评分" }));
  expect(await screen.findByText("谢谢，评分已经收到。")).toBeDefined();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "修改评分" }));
  expect(server.of(RATE)[0]?.path).toBe("/api/messages/m2/rating");
  expect(server.of(RATE)[0]?.body).toEqual({
    helpfulness: 2,
    fluency: 3,
    relevance: 4,
    logic: 5,
    comment: "还好",
    training_consent: false,
  });
});

test("the whole form can be filled in by keyboard", async () => {
  const { user, server } = await openForm();
  expect(document.activeElement).toBe(screen.getByRole("heading", { name: "这段回答怎么样" }));
  for (let left = AXES.length; left > 0; left -= 1) {
    await user.tab();
    await user.keyboard(" ");
  }
  await user.tab();
  await user.keyboard("好");
  await user.tab();
  await user.keyboard(" ");
  await user.tab();
  await user.keyboard("{Enter}");
  await screen.findByText("谢谢，评分已经收到。");
  expect(server.of(RATE)[0]?.body).toMatchObject({
    helpfulness: 1,
    logic: 1,
    comment: "好",
    training_consent: true,
  });
});

test("a missing axis is named, and the focus goes there", async () => {
  const { user, server } = await openForm();
  await user.click(axis("对你有帮助吗").getByRole("radio", { name: "4 分" }));
  await user.click(screen.getByRole("button", { name: "提交评分" }));
  expect(screen.getByRole("alert").textContent).toBe("还有一项没选：读起来通顺吗");
  expect(document.activeElement).toBe(axis("读起来通顺吗").getByRole("radio", { name: "1 分" }));
  expect(server.of(RATE)).toHaveLength(0);
  await expectNoViolations();
});

test("when sending fails the marks and the comment stay", async () => {
  const { user, server } = await openForm();
  server.on(RATE, () => problem(500));
  for (const name of AXES) await user.click(axis(name).getByRole("radio", { name: "5 分" }));
  await user.type(screen.getByRole("textbox"), "好");
  await user.click(screen.getByRole("button", { name: "提交评分" }));
  expect((await screen.findByRole("alert")).textContent).toContain("不是你的错");
  expect((screen.getByRole("textbox") as HTMLTextAreaElement).value).toBe("好");
  server.on(RATE, () => json(rating, 201));
  await user.click(screen.getByRole("button", { name: "提交评分" }));
  expect(await screen.findByText("谢谢，评分已经收到。")).toBeDefined();
});

test("leaving the form sends nothing and gives the focus back", async () => {
  const { user, server } = await openForm();
  await user.click(screen.getByRole("button", { name: "先不评" }));
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "给这段回答评分" }));
  expect(server.of(RATE)).toHaveLength(0);
});

test("changing a rating starts from what was given, consent included", () => {
  expect(startOf({ ...rating, training_consent: true })).toMatchObject({
    marks: { helpfulness: 4 },
    consent: true,
  });
  expect(startOf(null)).toEqual({ marks: {}, comment: "", consent: false });
});

test.each(["helpfulness", "fluency", "relevance", "logic"] as const)(
  "without %s there is no rating",
  (missing) => {
    const { marks, ...rest } = startOf(rating);
    const { [missing]: _, ...others } = marks;
    expect(ratingOf({ ...rest, marks: others })).toEqual({ missing });
  },
);
