/** A training's state in a word, whether it is in use, and how far each stage came. */
import type { TrainingStage, TrainingSummary } from "../../api/types";
import { m, named } from "../../lib/messages/runs";
import { figure, loss } from "./figures";

export function RunMark({ run }: { run: TrainingSummary }) {
  return (
    <span className="run-marks">
      <span className={`run-mark run-mark-${run.state}`}>{m(`state.${run.state}`)}</span>
      {run.in_use && <span className="run-mark run-mark-used">{m("inUse")}</span>}
    </span>
  );
}

/** Return how far a stage came, and its lowest dev loss. */
export function stageWords(stage: TrainingStage): string {
  const name = named("stage", stage.name);
  const steps = figure(stage.steps);
  const far =
    stage.planned === null || stage.planned === stage.steps
      ? m("stageLine", { stage: name, steps })
      : m("stageLineOf", { stage: name, steps, planned: figure(stage.planned) });
  if (stage.dev_loss === null || stage.best_step === null) return far;
  return `${far} · ${m("stageBest", { loss: loss(stage.dev_loss), step: figure(stage.best_step) })}`;
}
