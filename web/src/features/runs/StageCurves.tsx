/** One stage's losses: the picture, a slider that reads out each step, what the lines mean, and a table. */
import { useId, useState } from "react";
import type { TrainingLine } from "../../api/types";
import { m, named } from "../../lib/messages/runs";
import { Chart, type Series } from "./Chart";
import { figure, loss } from "./figures";
import { type Curves, curvesOf, rowsOf, stepsOf, valueAt } from "./points";
import { shortRun } from "./runPath";

interface Props {
  stage: string;
  run: string;
  lines: readonly TrainingLine[];
  /** The training that is laid over this one. */
  other: { run: string; lines: readonly TrainingLine[] } | null;
}

export function StageCurves({ stage, run, lines, other }: Props) {
  const heading = useId();
  const [chosen, setChosen] = useState<number | null>(null);
  const own = curvesOf(lines, stage);
  const beside = other === null ? null : curvesOf(other.lines, stage);
  const series = [...seriesOf(own, other === null ? null : run, false)];
  if (other !== null && beside !== null) series.push(...seriesOf(beside, other.run, true));
  const steps = stepsOf(beside === null ? [own] : [own, beside]);
  // The mark stands at the newest step until somebody moves it.
  const place = Math.min(chosen ?? steps.length - 1, steps.length - 1);
  const readout = readoutAt(series, steps[place] ?? 0);
  const name = named("stage", stage);
  return (
    <section className="run-stage" aria-labelledby={heading}>
      <h2 id={heading}>{m("curve.title", { stage: name })}</h2>
      <p className="chart-unit">{m(stage === "prefer" ? "curve.axisPrefer" : "curve.axis")}</p>
      <Chart
        series={series}
        steps={steps}
        place={place}
        description={describe(name, series, steps)}
        onPlace={setChosen}
      />
      <ul className="chart-legend">
        {series.map((one) => (
          <li key={one.name} className={`chart-${one.kind}${one.other ? " chart-other" : ""}`}>
            <svg width="34" height="12" aria-hidden="true">
              <polyline points="1,6 33,6" />
              {one.kind === "dev" && <circle cx="17" cy="6" r="3.5" />}
            </svg>
            {one.name}
          </li>
        ))}
      </ul>
      <div className="chart-reader">
        <input
          type="range"
          aria-label={m("curve.cursor")}
          aria-valuetext={readout.join(" · ")}
          min={0}
          max={steps.length - 1}
          value={place}
          onChange={(event) => setChosen(Number(event.target.value))}
        />
        <output>
          {readout.map((one) => (
            <span key={one}>{one}</span>
          ))}
        </output>
      </div>
      <details>
        <summary>{m("curve.table")}</summary>
        <Numbers own={own} lines={lines.filter((line) => line.stage === stage)} name={name} />
      </details>
    </section>
  );
}

function seriesOf(curves: Curves, run: string | null, other: boolean): Series[] {
  const called = (curve: string): string =>
    run === null ? curve : m("curve.of", { curve, run: shortRun(run) });
  const steps = stepsOf([curves]);
  const end = steps[steps.length - 1] ?? 0;
  const all: Series[] = [
    { name: called(m("curve.loss")), kind: "loss", other, points: curves.loss, end },
    { name: called(m("curve.dev")), kind: "dev", other, points: curves.dev, end },
  ];
  return all.filter((one) => one.points.length > 0);
}

function readoutAt(series: readonly Series[], step: number): string[] {
  const values = series.flatMap((one) => {
    const value = valueAt(one.points, step, one.end);
    return value === null ? [] : [`${one.name} ${loss(value)}`];
  });
  return [m("curve.at", { step: figure(step) }), ...values];
}

function describe(stage: string, series: readonly Series[], steps: readonly number[]): string {
  const first = figure(steps[0] ?? 0);
  const last = figure(steps[steps.length - 1] ?? 0);
  const falls = series.map((one) => {
    const from = loss(one.points[0]?.value ?? null);
    const to = loss(one.points[one.points.length - 1]?.value ?? null);
    return m("curve.fell", { curve: one.name, from, to });
  });
  return [m("curve.picture", { stage, first, last }), ...falls].join(" ");
}

function Numbers({ own, lines, name }: { own: Curves; lines: readonly TrainingLine[]; name: string }) {
  const steps = rowsOf(own);
  const at = (points: Curves["loss"], step: number): number | null =>
    points.find((point) => point.step === step)?.value ?? null;
  const rates = new Map(
    lines.map((line) => [line.step, line.learning_rate] as const).filter(([, one]) => one),
  );
  return (
    <>
      <p className="run-soft">{m("curve.sampled", { all: stepsOf([own]).length, shown: steps.length })}</p>
      <table className="run-table">
        <caption className="unseen">{m("curve.title", { stage: name })}</caption>
        <thead>
          <tr>
            <th scope="col">{m("curve.step")}</th>
            <th scope="col">{m("curve.loss")}</th>
            <th scope="col">{m("curve.dev")}</th>
            <th scope="col">{m("curve.rate")}</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <tr key={step}>
              <th scope="row">{figure(step)}</th>
              <td>{loss(at(own.loss, step))}</td>
              <td>{loss(at(own.dev, step))}</td>
              <td>{rates.get(step)?.toExponential(2) ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
