/** From numbers to places in a picture, and the round numbers that stand on its axes; pure functions. */

/** Return about `count` round numbers from `low` to `high`, both within them. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? 10 * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
}

/** Return how many digits after the point tell these round numbers apart. */
export function digitsOf(sorted: readonly number[]): number {
  const step = (sorted[1] ?? 0) - (sorted[0] ?? 0);
  return step > 0 ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) : 2;
}

/** Return a range a little wider than the values, so that no curve touches the frame. */
export function roomFor(values: readonly number[]): [low: number, high: number] {
  if (values.length === 0) return [0, 1];
  // Not spread into Math.min: a long training has more values than a call takes arguments.
  const low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const spare = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
  return [low - spare, high + spare];
}

/** Return a function from a range of numbers to a range of places. */
export function scale(
  from: readonly [number, number],
  to: readonly [number, number],
): (value: number) => number {
  const width = from[1] - from[0] || 1;
  return (value) => to[0] + ((value - from[0]) / width) * (to[1] - to[0]);
}

/** Return the place in `sorted` of the number nearest to `wanted`. */
export function nearest(sorted: readonly number[], wanted: number): number {
  let best = 0;
  sorted.forEach((value, place) => {
    if (Math.abs(value - wanted) < Math.abs((sorted[best] ?? 0) - wanted)) best = place;
  });
  return best;
}
