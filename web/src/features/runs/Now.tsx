/** What a running training does at the moment. */
import type { TrainingNow } from "../../api/types";
import { m, named } from "../../lib/messages/runs";
import { FactRows } from "./FactRows";
import { clock, figure, memory, percent } from "./figures";

export function Now({ now }: { now: TrainingNow }) {
  const stage = named("stage", now.stage);
  const total = now.total ?? 0;
  const done = now.stage === "" ? m("now.preparing", { task: now.task }) : stepOf(stage, now, total);
  const facts: [string, string][] = [];
  if (now.doing !== "") facts.push([m("now.doing"), named("doing", now.doing)]);
  if (now.tokens_per_s !== null) {
    facts.push([m("now.speed"), m("now.speedValue", { count: figure(now.tokens_per_s) })]);
  }
  if (now.share !== null) facts.push([m(now.on_card ? "now.mfu" : "now.share"), percent(now.share)]);
  if (now.memory_bytes !== null) {
    facts.push([m(now.on_card ? "now.memoryCard" : "now.memory"), memory(now.memory_bytes)]);
  }
  if (now.left_s !== null) facts.push([m("now.left"), `${clock(now.left_s)} · ${m("now.leftNote")}`]);
  return (
    <section className="run-card run-now" aria-labelledby="run-now">
      <h2 id="run-now">{m("now.title")}</h2>
      <p>{done}</p>
      {total > 0 && <progress aria-label={done} value={now.done} max={total} />}
      <FactRows facts={facts} />
    </section>
  );
}

function stepOf(stage: string, now: TrainingNow, total: number): string {
  return m("now.step", { stage, done: figure(now.done), total: figure(total) });
}
