/** One's own data: a copy as a file, deletion after a second question, and a page that forgets. */
import { screen, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { ask, fakeService, openPage } from "../app/visitor";
import { expectNoViolations } from "../axe";
import { problem } from "../fakeServer";

const ERASE = "DELETE /api/me";

async function openSheet() {
  const server = fakeService();
  const user = openPage();
  await ask(user);
  await screen.findByRole("button", { name: "换一种说法看看" });
  await user.click(screen.getByRole("button", { name: "我的数据" }));
  return { server, user, sheet: within(screen.getByRole("region", { name: "我的数据" })) };
}

test("a copy is handed to the browser as a file", async () => {
  const { user, sheet } = await openSheet();
  await expectNoViolations();
  const create = vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:x");
  const click = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => undefined);
  await user.click(sheet.getByRole("button", { name: "下载我的数据" }));
  expect(await sheet.findByText(/文件已经交给浏览器/)).toBeDefined();
  expect(click).toHaveBeenCalledOnce();
  expect((click.mock.contexts[0] as HTMLAnchorElement).download).toBe("psyllm-export.json");
  expect(create.mock.calls[0]?.[0]).toBeInstanceOf(Blob);
});

test("deleting asks once more, and no means no", async () => {
  const { server, user, sheet } = await openSheet();
  await user.click(sheet.getByRole("button", { name: "删除我的数据" }));
  expect(document.activeElement?.textContent).toBe("确定要全部删除吗？");
  await user.click(sheet.getByRole("button", { name: "先不删" }));
  expect(sheet.getByRole("button", { name: "删除我的数据" })).toBeDefined();
  expect(server.of(ERASE)).toHaveLength(0);
});

test("after deleting, nothing of the conversation is on the page or in the tab", async () => {
  const { server, user, sheet } = await openSheet();
  await user.click(sheet.getByRole("button", { name: "删除我的数据" }));
  await user.click(sheet.getByRole("button", { name: "确定，全部删除" }));
  expect(document.activeElement).toBe(await sheet.findByText("已经全部删除。"));
  expect(server.of(ERASE)).toHaveLength(1);
  expect(screen.queryByRole("log", { hidden: true })).toBeNull();
  expect(sessionStorage.getItem("psyllm.conversation")).toBeNull();
});

test("when deleting fails the page says so and asks again", async () => {
  const { server, user, sheet } = await openSheet();
  server.on(ERASE, () => problem(500));
  await user.click(sheet.getByRole("button", { name: "删除我的数据" }));
  await user.click(sheet.getByRole("button", { name: "确定，全部删除" }));
  expect((await sheet.findByRole("alert")).textContent).toContain("还不能确定删掉了没有");
  expect(sheet.getByRole("button", { name: "确定，全部删除" })).toBeDefined();
  expect(screen.getByRole("log", { hidden: true })).toBeDefined();
});

test("whoever has written nothing is told so, and nothing is said to be deleted", async () => {
  const { user, sheet, server } = await openSheet();
  server.on("GET /api/me/export", () => problem(404, "PSY-501"));
  await user.click(sheet.getByRole("button", { name: "下载我的数据" }));
  expect((await sheet.findByRole("alert")).textContent).toContain("还没有写过什么");
});
