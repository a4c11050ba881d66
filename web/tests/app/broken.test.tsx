/** When the page itself fails, the numbers are still there. */
import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { Broken } from "../../src/app/Broken";
import { expectNoViolations } from "../axe";

function Fails(): never {
  throw new Error("planted");
}

test("a failing page gives way to calm words and the help card", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  render(
    <Broken>
      <Fails />
    </Broken>,
  );
  expect(screen.getByRole("heading", { name: "页面出了点问题" })).toBeDefined();
  expect(screen.getByRole("link", { name: /^120/ })).toBeDefined();
  await expectNoViolations();
});
