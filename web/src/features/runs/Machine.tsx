/** On what, with what and how fast a model was trained. */
import type { TrainingDetail } from "../../api/types";
import { m, named } from "../../lib/messages/runs";
import { FactRows } from "./FactRows";
import { figure } from "./figures";

export function Machine({ detail }: { detail: TrainingDetail }) {
  const facts: [string, string][] = detail.machine.map((one) => [named("fact", one.name), one.value]);
  if (detail.seconds !== null) facts.push([m("fact.seconds"), figure(detail.seconds)]);
  if (detail.peak_memory_mb !== null) facts.push([m("fact.peak"), figure(detail.peak_memory_mb)]);
  for (const one of detail.summary.stages) {
    const stage = named("stage", one.name);
    if (one.tokens_seen !== null) facts.push([m("fact.tokens", { stage }), figure(one.tokens_seen)]);
    if (one.tokens_per_s !== null) facts.push([m("fact.speed", { stage }), figure(one.tokens_per_s)]);
  }
  return (
    <section className="run-card" aria-labelledby="run-machine">
      <h2 id="run-machine">{m("machine")}</h2>
      {facts.length === 0 && detail.versions.length === 0 && (
        <p className="run-soft">{m("machine.unknown")}</p>
      )}
      <FactRows facts={facts} />
      {detail.versions.length > 0 && (
        <details>
          <summary>{m("machine.versions")}</summary>
          <FactRows facts={detail.versions.map((one) => [one.name, one.value] as const)} />
        </details>
      )}
    </section>
  );
}
