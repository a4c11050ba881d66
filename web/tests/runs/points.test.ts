/** Curves and axes as pure functions. */
import { expect, test } from "vitest";
import { clock, memory } from "../../src/features/runs/figures";
import { curvesOf, grown, rowsOf, stagesOf, stepsOf, thinned, valueAt } from "../../src/features/runs/points";
import { runIn, runPath, shortRun } from "../../src/features/runs/runPath";
import { digitsOf, nearest, roomFor, scale, ticks } from "../../src/features/runs/scale";
import { curve, devLine, line } from "./samples";

const lines = [line(10), line(20), devLine(20, 7), line(30), devLine(30, 6.5), line(5, { stage: "answer" })];

test("lines become one pair of curves a stage, in the order of training", () => {
  expect(stagesOf(lines)).toEqual(["adapt", "answer"]);
  const { loss, dev } = curvesOf(lines, "adapt");
  expect(loss.map((point) => point.step)).toEqual([10, 20, 30]);
  expect(dev).toEqual([
    { step: 20, value: 7 },
    { step: 30, value: 6.5 },
  ]);
  expect(stepsOf([curvesOf(lines, "adapt"), curvesOf(lines, "answer")])).toEqual([5, 10, 20, 30]);
});

test("an answer goes on where the last one ended, or begins anew", () => {
  const first = grown([], curve([line(10)]));
  const second = grown(first, curve([line(20)], { start: 100 }));
  expect(second.map((one) => one.step)).toEqual([10, 20]);
  expect(grown(second, curve([], { start: 200 }))).toBe(second);
  expect(grown(second, curve([line(5)])).map((one) => one.step)).toEqual([5]);
});

test("a value holds until the next one, and ends with its training", () => {
  const { dev } = curvesOf(lines, "adapt");
  expect([10, 20, 25, 30, 40, 50].map((step) => valueAt(dev, step, 40))).toEqual([
    null,
    7,
    7,
    6.5,
    6.5,
    null,
  ]);
});

test("many points are thinned to means between the same two ends", () => {
  const many = Array.from({ length: 10_000 }, (_, step) => ({ step, value: step % 2 }));
  const few = thinned(many, 100);
  expect(few.length).toBe(100);
  expect([few[0], few[99]]).toEqual([many[0], many[9_999]]);
  expect(few.slice(1, -1).every((point) => Math.abs(point.value - 0.5) < 0.01)).toBe(true);
  expect(thinned(many.slice(0, 3), 100)).toHaveLength(3);
});

test("a table lists every dev loss, however few rows it may have", () => {
  const long = Array.from({ length: 1_000 }, (_, step) => line(step));
  const rows = rowsOf(curvesOf([...long, devLine(501, 3)], "adapt"), 50);
  expect(rows).toContain(501);
  expect(rows.length).toBeLessThan(60);
});

test("axes have round numbers within the range, whatever the range", () => {
  expect(ticks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(ticks(6.43, 8.1, 5)).toEqual([6.5, 7, 7.5, 8]);
  expect(ticks(3, 3, 5)).toEqual([3]);
  for (const [low, high] of [
    [0, 1],
    [0.001, 0.002],
    [-5, 12_345],
    [1e6, 3e6],
  ] as const) {
    const found = ticks(low, high, 6);
    expect(found.length).toBeGreaterThan(1);
    expect(found.length).toBeLessThan(14);
    expect(found.every((one) => one >= low - 1e-9 && one <= high * (1 + 1e-9))).toBe(true);
  }
});

test("the numbers on an axis are told apart, however near each other they are", () => {
  for (const [low, high, digits] of [
    [4, 8, 0],
    [0.1, 0.9, 1],
    [0.6925, 0.6932, 4],
    [3, 3, 2],
  ] as const) {
    const found = ticks(low, high, 5);
    expect(digitsOf(found)).toBe(digits);
    expect(new Set(found.map((one) => one.toFixed(digits))).size).toBe(found.length);
  }
});

test("a range leaves room around its values, and is never empty", () => {
  expect(roomFor([])).toEqual([0, 1]);
  const [low, high] = roomFor([5]);
  expect(low < 5 && 5 < high).toBe(true);
  expect(roomFor(Array.from({ length: 300_000 }, (_, place) => place))[1]).toBeGreaterThan(299_999);
  expect(scale([0, 10], [100, 0])(5)).toBe(50);
  expect(nearest([0, 10, 20], 14)).toBe(1);
});

test("times and sizes read well", () => {
  expect([clock(187), clock(3_723), clock(0.4)]).toEqual(["3:07", "1:02:03", "0:00"]);
  expect([memory(900 * 2 ** 20), memory(40 * 2 ** 30)]).toEqual(["900 MiB", "40 GiB"]);
});

test("an address names a run, and a long name has a short form", () => {
  expect(runIn(runPath("model-1"))).toBe("model-1");
  expect([runIn("/desk/runs"), runIn("/desk")]).toEqual([null, null]);
  expect(runIn("/desk/runs/%E0%A4%A")).toBe("%E0%A4%A");
  expect([shortRun("model-3da3bbb2641a"), shortRun("memorised")]).toEqual(["model-3da3bb", "memorised"]);
});
