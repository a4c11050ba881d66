/** Runs axe on what is on the screen; colours and sizes need a real browser and are checked end to end. */
import axe from "axe-core";
import { expect } from "vitest";

export async function expectNoViolations(): Promise<void> {
  const { violations } = await axe.run(document.body, {
    rules: { "color-contrast": { enabled: false }, "target-size": { enabled: false } },
  });
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  expect(told).toEqual([]);
}
