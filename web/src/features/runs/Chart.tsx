/** The picture of some curves: axes, lines, and a mark at one step, which the pointer moves. */
import { useId, useLayoutEffect, useRef } from "react";
import { m } from "../../lib/messages/runs";
import { figure } from "./figures";
import { type Point, thinned } from "./points";
import { digitsOf, nearest, roomFor, scale, ticks } from "./scale";
import { useWidth } from "./useWidth";
import "./chart.css";

export interface Series {
  name: string;
  kind: "loss" | "dev";
  /** Of the training that is laid over the first one. */
  other: boolean;
  points: readonly Point[];
  /** The last step of its training so far. */
  end: number;
}

interface Props {
  series: readonly Series[];
  steps: readonly number[];
  /** The place in `steps` where the mark stands. */
  place: number;
  description: string;
  onPlace: (place: number) => void;
}

const HEIGHT = 260;
const FRAME = { left: 46, right: 22, top: 12, bottom: 42 };

export function Chart({ series, steps, place, description, onPlace }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const picture = useRef<SVGSVGElement>(null);
  const title = useId();
  const width = useWidth(box);
  const across: [number, number] = [FRAME.left, width - FRAME.right];
  const last = steps[steps.length - 1] ?? 1;
  const x = scale([0, last], across);
  const range = roomFor(series.flatMap((one) => one.points.map((point) => point.value)));
  const y = scale(range, [HEIGHT - FRAME.bottom, FRAME.top]);
  const step = steps[place] ?? 0;

  // Moving along is the slider's work for keys and screen readers; the pointer is a quicker way to the same.
  // Before the picture is painted, so that it is never there without following the pointer.
  const move = useRef(onPlace);
  useLayoutEffect(() => {
    move.current = (clientX) => {
      const left = picture.current?.getBoundingClientRect().left ?? 0;
      onPlace(nearest(steps, scale(across, [0, last])(clientX - left)));
    };
  });
  useLayoutEffect(() => {
    const element = picture.current;
    if (element === null) return;
    const follow = (event: PointerEvent): void => move.current(event.clientX);
    element.addEventListener("pointerdown", follow);
    element.addEventListener("pointermove", follow);
    return () => {
      element.removeEventListener("pointerdown", follow);
      element.removeEventListener("pointermove", follow);
    };
  }, []);

  return (
    <div ref={box} className="chart">
      <svg
        ref={picture}
        viewBox={`0 0 ${width} ${HEIGHT}`}
        height={HEIGHT}
        role="img"
        aria-labelledby={title}
      >
        <title id={title}>{description}</title>
        <Axes width={width} x={x} y={y} last={last} range={range} />
        {series.map((one) => (
          <Line key={`${one.kind} ${one.other}`} series={one} x={x} y={y} />
        ))}
        <line className="chart-mark" x1={x(step)} x2={x(step)} y1={FRAME.top} y2={HEIGHT - FRAME.bottom} />
      </svg>
    </div>
  );
}

interface AxesProps {
  width: number;
  x: (value: number) => number;
  y: (value: number) => number;
  last: number;
  range: [number, number];
}

function Axes({ width, x, y, last, range }: AxesProps) {
  const floor = HEIGHT - FRAME.bottom;
  const heights = ticks(range[0], range[1], 5);
  const digits = digitsOf(heights);
  return (
    <g className="chart-axes">
      {heights.map((value) => (
        <g key={value}>
          <line x1={FRAME.left} x2={width - FRAME.right} y1={y(value)} y2={y(value)} />
          <text x={FRAME.left - 8} y={y(value) + 4} textAnchor="end">
            {figure(value, digits)}
          </text>
        </g>
      ))}
      {ticks(0, last, Math.max(2, Math.floor(width / 110))).map((value) => (
        <g key={value}>
          <line x1={x(value)} x2={x(value)} y1={floor} y2={floor + 5} />
          <text x={x(value)} y={floor + 19} textAnchor="middle">
            {figure(value)}
          </text>
        </g>
      ))}
      <line className="chart-floor" x1={FRAME.left} x2={width - FRAME.right} y1={floor} y2={floor} />
      <text x={width - FRAME.right} y={HEIGHT - 5} textAnchor="end">
        {m("curve.steps")}
      </text>
    </g>
  );
}

interface LineProps {
  series: Series;
  x: (value: number) => number;
  y: (value: number) => number;
}

function Line({ series, x, y }: LineProps) {
  const drawn = thinned(series.points);
  const places = drawn.map((point) => `${x(point.step).toFixed(1)},${y(point.value).toFixed(1)}`);
  // A line of one point alone would not be seen.
  const dots = (series.kind === "dev" && drawn.length <= 60) || drawn.length === 1 ? drawn : [];
  return (
    <g className={`chart-${series.kind}${series.other ? " chart-other" : ""}`}>
      <polyline points={places.join(" ")} />
      {dots.map((point) => (
        <circle key={point.step} cx={x(point.step)} cy={y(point.value)} r={series.other ? 2.5 : 3.5} />
      ))}
    </g>
  );
}
