/** The lines of a training as curves, as pure functions: what is drawn, what stands at a step, what a table lists. */
import type { TrainingCurve, TrainingLine } from "../../api/types";

export interface Point {
  step: number;
  value: number;
}

export interface Curves {
  loss: Point[];
  dev: Point[];
}

const MOST_DRAWN = 400;
const MOST_ROWS = 120;

/** Return all lines after one more answer; an answer that begins anew replaces what was known. */
export function grown(known: readonly TrainingLine[], answer: TrainingCurve): readonly TrainingLine[] {
  if (answer.start > 0 && answer.lines.length === 0) return known;
  return answer.start === 0 ? answer.lines : [...known, ...answer.lines];
}

/** Return the stages in the order in which they were trained. */
export function stagesOf(lines: readonly TrainingLine[]): string[] {
  return [...new Set(lines.map((line) => line.stage))];
}

export function curvesOf(lines: readonly TrainingLine[], stage: string): Curves {
  const own = lines.filter((line) => line.stage === stage);
  const points = (name: "loss" | "dev_loss"): Point[] =>
    own.flatMap((line) => {
      const value = line[name];
      return value === null ? [] : [{ step: line.step, value }];
    });
  return { loss: points("loss"), dev: points("dev_loss") };
}

/** Return at most so many points, each the mean of its neighbours; the first and the last stay. */
export function thinned(points: readonly Point[], most = MOST_DRAWN): readonly Point[] {
  if (points.length <= most) return points;
  const size = points.length / most;
  const means = Array.from({ length: most }, (_, place): Point => {
    const part = points.slice(Math.floor(place * size), Math.floor((place + 1) * size));
    const value = part.reduce((sum, point) => sum + point.value, 0) / part.length;
    return { step: part[Math.floor(part.length / 2)]?.step ?? 0, value };
  });
  const ends = [points[0], points[points.length - 1]] as [Point, Point];
  return [ends[0], ...means.slice(1, -1), ends[1]];
}

/** Return the last value at or before a step, null before the curve begins and once its training was over. */
export function valueAt(points: readonly Point[], step: number, end: number): number | null {
  if (step > end) return null;
  let found: number | null = null;
  for (const point of points) {
    if (point.step > step) break;
    found = point.value;
  }
  return found;
}

/** Return every step of some curves once, in order. */
export function stepsOf(curves: readonly Curves[]): number[] {
  const steps = curves.flatMap(({ loss, dev }) => [...loss, ...dev].map((point) => point.step));
  return [...new Set(steps)].sort((a, b) => a - b);
}

/** Return the steps that a table lists: all with a dev loss, and of the others so many that it stays readable. */
export function rowsOf(curves: Curves, most = MOST_ROWS): number[] {
  const measured = new Set(curves.dev.map((point) => point.step));
  const steps = stepsOf([curves]);
  const every = Math.ceil(steps.length / most);
  return steps.filter((step, place) => measured.has(step) || place % every === 0);
}
