/** Small valid values of the API's models of trainings. */
import type {
  TrainingCurve,
  TrainingDetail,
  TrainingLine,
  TrainingNow,
  TrainingSummary,
} from "../../src/api/types";

export function line(step: number, change: Partial<TrainingLine> = {}): TrainingLine {
  return {
    stage: "adapt",
    step,
    loss: 8 - step / 100,
    dev_loss: null,
    learning_rate: 0.001,
    grad_norm: 1,
    ...change,
  };
}

export function devLine(step: number, value: number, stage = "adapt"): TrainingLine {
  return line(step, { stage, loss: null, learning_rate: null, grad_norm: null, dev_loss: value });
}

export function summary(change: Partial<TrainingSummary> = {}): TrainingSummary {
  return {
    name: "model-aaaaaaaaaaaa",
    state: "complete",
    in_use: true,
    began_at: "2026-11-25T08:00:00Z",
    finished_at: "2026-11-25T08:10:00Z",
    weights: 2_557_632,
    stages: [
      {
        name: "adapt",
        steps: 100,
        planned: 120,
        best_step: 80,
        dev_loss: 6.4307,
        tokens_seen: 153_600,
        tokens_per_s: 4025,
      },
    ],
    ...change,
  };
}

export function detail(change: Partial<TrainingDetail> = {}): TrainingDetail {
  return {
    summary: summary(),
    settings: [
      { name: "adapt.steps", value: "120", default: "100", differs: true },
      { name: "seed", value: "1", default: "1", differs: false },
    ],
    corpus: { run: "corpus-bbbbbbbbbbbb", content_hash: "c".repeat(64), here: true },
    lineage: [
      { kind: "base", name: "wenzhong", run: "" },
      { kind: "model", name: "model-dddddddddddd", run: "model-dddddddddddd" },
      { kind: "adapt", name: "model-aaaaaaaaaaaa", run: "model-aaaaaaaaaaaa" },
    ],
    permit: {
      uses: "research",
      share_alike: true,
      expires: "2099-06-30",
      sources: [{ source: "psyqa", licence: "", uses: "research", expires: "2099-06-30" }],
    },
    report: {
      run: "report-eeeeeeeeeeee",
      split: "test",
      figures: [{ name: "bits_per_char", value: 6.61, low: 6.5, high: 6.8 }],
    },
    machine: [{ name: "cores", value: "2" }],
    versions: [{ name: "torch", value: "2.13.0" }],
    content_hash: "f".repeat(64),
    tokenizer_hash: "0".repeat(64),
    seconds: 81.4,
    peak_memory_mb: 919,
    ...change,
  };
}

export function curve(lines: TrainingLine[], change: Partial<TrainingCurve> = {}): TrainingCurve {
  return { state: "complete", start: 0, next: 100, more: false, lines, now: null, ...change };
}

export function now(change: Partial<TrainingNow> = {}): TrainingNow {
  return {
    task: "training: adapt",
    stage: "adapt",
    doing: "measuring the dev loss",
    done: 20,
    total: 120,
    left_s: 187,
    tokens_per_s: 4025,
    share: 0.41,
    on_card: false,
    memory_bytes: 900 * 2 ** 20,
    at: "2026-11-25T08:05:00Z",
    ...change,
  };
}
