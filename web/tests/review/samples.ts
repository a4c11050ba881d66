/** Small valid values of the API's models of reviewing. */
import type { ReviewItem, ReviewNext, ReviewOpinion, ReviewProgress } from "../../src/api/types";

export function reviewItem(change: Partial<ReviewItem> = {}): ReviewItem {
  return {
    item: "a".repeat(64),
    kind: "dialogue",
    source: "smile",
    level: "risk",
    minor: false,
    dropped_for: "",
    dropped_because: "",
    title: "",
    text: "",
    turns: [
      { role: "visitor", text: "我很难受" },
      { role: "counsellor", text: "想开点" },
    ],
    answers: [],
    has_spans: false,
    stays: null,
    state: "open",
    own: null,
    others: [],
    ...change,
  };
}

export function opinion(change: Partial<ReviewOpinion> = {}): ReviewOpinion {
  return {
    verdict: "accept",
    reason: null,
    note: "",
    edited: null,
    decided_at: "2026-11-25T08:00:00Z",
    ...change,
  };
}

export function progress(change: Partial<ReviewProgress> = {}): ReviewProgress {
  return { total: 3, settled: 1, disputed: 0, half: 1, mine: 1, for_me: 2, changeable: [], ...change };
}

export function next(item: ReviewItem | null, change: Partial<ReviewProgress> = {}): ReviewNext {
  return { item, gone: 0, progress: progress(change) };
}
