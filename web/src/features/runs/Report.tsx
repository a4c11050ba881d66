/** What the newest report says of this very model. */
import type { TrainingDetail } from "../../api/types";
import { m, named } from "../../lib/messages/runs";
import { FactRows } from "./FactRows";
import { figure } from "./figures";

export function Report({ report }: { report: TrainingDetail["report"] }) {
  return (
    <section className="run-card" aria-labelledby="run-report">
      <h2 id="run-report">{m("report")}</h2>
      {report === null ? (
        <p className="run-soft">{m("report.none")}</p>
      ) : (
        <>
          <p>{m("report.run", { run: report.run, split: splitOf(report.split) })}</p>
          <FactRows
            facts={report.figures.map((one) => [named("figure", one.name), withInterval(one)] as const)}
          />
        </>
      )}
    </section>
  );
}

type Figure = NonNullable<TrainingDetail["report"]>["figures"][number];

function withInterval({ value, low, high }: Figure): string {
  if (low === null || high === null) return figure(value, 2);
  return `${figure(value, 2)} [${m("figure.between", { low: figure(low, 2), high: figure(high, 2) })}]`;
}

function splitOf(split: string): string {
  return split === "test" || split === "dev" ? m(`split.${split}`) : split;
}
