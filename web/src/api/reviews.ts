/** What the desk asks of the server about cleaned texts to review, one function for each door. */
import { ask, send } from "./request";
import type { ReviewDecision, ReviewItem, ReviewNext, ReviewProgress } from "./types";

export function readNextReview(): Promise<ReviewNext> {
  return ask("GET", "/staff/reviews/next");
}

export function readReview(item: string): Promise<ReviewItem> {
  return ask("GET", `/staff/reviews/${encodeURIComponent(item)}`);
}

export function decideReview(item: string, decision: ReviewDecision): Promise<ReviewProgress> {
  return ask("PUT", `/staff/reviews/${encodeURIComponent(item)}/decision`, { body: decision });
}

/** Put a text aside until tomorrow. */
export function skipReview(item: string): Promise<void> {
  return send("POST", `/staff/reviews/${encodeURIComponent(item)}/skip`);
}
