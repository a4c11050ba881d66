/** `m()` turns a typed key into a sentence of the pages of trainings, as `t()` does; visitors never load these. */
import { language } from "../language.ts";
import { runsEn } from "./runs.en.ts";
import { runsZh } from "./runs.zh.ts";
import { filledIn, type Slots } from "./t.ts";

type RunsKey = keyof typeof runsZh;
type Values<Key extends RunsKey> = [Slots<(typeof runsZh)[Key]>] extends [never]
  ? []
  : [values: Record<Slots<(typeof runsZh)[Key]>, string | number>];

/** Both tables of sentences. */
export const runsLanguages: Record<"zh" | "en", Record<RunsKey, string>> = { zh: runsZh, en: runsEn };

/** Return the sentence of `key` with its `{slots}` filled in. */
export function m<Key extends RunsKey>(key: Key, ...values: Values<Key>): string {
  return filledIn(runsLanguages[language()][key], values[0] ?? {});
}

/** Return the sentence of a key put together from what the server says, or what it says where there is none. */
export function named(group: "stage" | "doing" | "figure" | "fact" | "kind", name: string): string {
  const word = name.replaceAll(" ", "_");
  const keys = {
    stage: `stage.${word}`,
    doing: `doing.${word}`,
    figure: `figure.${word}`,
    fact: `fact.${word}`,
    kind: `kind.${word}`,
  };
  const table: Record<string, string> = runsLanguages[language()];
  return table[keys[group]] ?? name;
}
