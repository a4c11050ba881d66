/** What the desk asks of the server about trainings, one function for each door; nothing is ever changed. */
import { ask } from "./request";
import type { TrainingCurve, TrainingDetail, TrainingSummary } from "./types";

export function listTrainings(signal?: AbortSignal): Promise<TrainingSummary[]> {
  return ask("GET", "/staff/trainings", { signal });
}

export function readTraining(run: string, signal?: AbortSignal): Promise<TrainingDetail> {
  return ask("GET", `/staff/trainings/${encodeURIComponent(run)}`, { signal });
}

/** Read the lines of the curves from a place on; the answer says where the next ones begin. */
export function readCurve(run: string, start: number, signal?: AbortSignal): Promise<TrainingCurve> {
  return ask("GET", `/staff/trainings/${encodeURIComponent(run)}/curve?start=${start}`, { signal });
}
