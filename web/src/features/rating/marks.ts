/** The four axes and what has been marked so far; pure. */
import type { Rating, RatingIn } from "../../api/types";

export const AXES = ["helpfulness", "fluency", "relevance", "logic"] as const;
export type Axis = (typeof AXES)[number];
export const SCORES = [1, 2, 3, 4, 5] as const;

export interface Draft {
  marks: Partial<Record<Axis, number>>;
  comment: string;
  consent: boolean;
}

/** Return what the form starts with; consent is never ticked beforehand, but for what was given before. */
export function startOf(before: Rating | null): Draft {
  if (before === null) return { marks: {}, comment: "", consent: false };
  const { helpfulness, fluency, relevance, logic } = before;
  return {
    marks: { helpfulness, fluency, relevance, logic },
    comment: before.comment,
    consent: before.training_consent,
  };
}

/** Return the first axis without a mark, or the rating to send. */
export function ratingOf({ marks, comment, consent }: Draft): { missing: Axis } | { rating: RatingIn } {
  const { helpfulness, fluency, relevance, logic } = marks;
  if (helpfulness === undefined) return { missing: "helpfulness" };
  if (fluency === undefined) return { missing: "fluency" };
  if (relevance === undefined) return { missing: "relevance" };
  if (logic === undefined) return { missing: "logic" };
  const shared = { comment: comment.trim(), training_consent: consent };
  return { rating: { helpfulness, fluency, relevance, logic, ...shared } };
}
