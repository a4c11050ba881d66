/** `r()` turns a typed key into a sentence of the review pages, as `t()` does; visitors never load these. */
import { language } from "../language.ts";
import { reviewEn } from "./review.en.ts";
import { reviewZh } from "./review.zh.ts";
import { filledIn, type Slots } from "./t.ts";

type ReviewKey = keyof typeof reviewZh;
type Values<Key extends ReviewKey> = [Slots<(typeof reviewZh)[Key]>] extends [never]
  ? []
  : [values: Record<Slots<(typeof reviewZh)[Key]>, string | number>];

/** Both tables of sentences. */
export const reviewLanguages: Record<"zh" | "en", Record<ReviewKey, string>> = { zh: reviewZh, en: reviewEn };

/** Return the sentence of `key` with its `{slots}` filled in. */
export function r<Key extends ReviewKey>(key: Key, ...values: Values<Key>): string {
  return filledIn(reviewLanguages[language()][key], values[0] ?? {});
}
