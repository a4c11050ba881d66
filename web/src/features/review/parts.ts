/** The texts of an item in reading order, each with the name of its part. */
import type { ReviewItem, ReviewTexts, ReviewVerdict } from "../../api/types";
import { r } from "../../lib/messages/review";

export interface Part {
  name: string;
  place: number;
  field: "title" | "text" | "turns" | "answers";
  /** Who says it: chooses the look of its card. */
  voice: "visitor" | "counsellor" | "none";
  text: string;
}

/** Return the parts of an item, with the texts of an edit in their places. */
export function partsOf(item: ReviewItem, texts: ReviewTexts): Part[] {
  const isQuestion = item.kind === "question";
  const voice = isQuestion ? "visitor" : "none";
  const parts: Part[] = [
    {
      name: r(isQuestion ? "part.question" : "part.title"),
      place: 0,
      field: "title",
      voice,
      text: texts.title,
    },
    { name: r(isQuestion ? "part.details" : "part.body"), place: 0, field: "text", voice, text: texts.text },
    ...item.turns.map(
      (turn, place): Part => ({
        name: r(`part.${turn.role}`),
        place,
        field: "turns",
        voice: turn.role,
        text: texts.turns[place] ?? "",
      }),
    ),
    ...texts.answers.map(
      (text, place): Part => ({
        name: r("part.answer", { number: place + 1 }),
        place,
        field: "answers",
        voice: "counsellor",
        text,
      }),
    ),
  ];
  return parts.filter((part) => wasThere(item, part));
}

/** A part that the record never had is no part; one that an edit emptied still is. */
function wasThere(item: ReviewItem, part: Part): boolean {
  return part.field === "turns" || part.field === "answers" || item[part.field] !== "";
}

/** Return a verdict in words that fit the item: of a text that was left out something else is asked. */
export function verdictIn(item: ReviewItem, verdict: ReviewVerdict): string {
  return item.dropped_for === "" ? r(`verdict.${verdict}`) : r(`dropped.${verdict}`);
}
