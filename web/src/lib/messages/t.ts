/**
 * `t()` turns a typed key and its values into the sentence of the page's language.
 *
 * A language is one more table with the same keys in `languages`; the page's
 * `lang` attribute chooses. No component holds a sentence of its own.
 */
import { type Language, language } from "../language.ts";
import { deskEn } from "./desk.en.ts";
import { deskZh } from "./desk.zh.ts";
import { visitorEn } from "./visitor.en.ts";
import { visitorZh } from "./visitor.zh.ts";

const zh = { ...visitorZh, ...deskZh } as const;

type MessageKey = keyof typeof zh;

export type Slots<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Slots<Rest>
  : never;
/** A key whose sentence has nothing to fill in. */
export type PlainKey = {
  [Key in MessageKey]: [Slots<(typeof zh)[Key]>] extends [never] ? Key : never;
}[MessageKey];
type Values<Key extends MessageKey> = [Slots<(typeof zh)[Key]>] extends [never]
  ? []
  : [values: Record<Slots<(typeof zh)[Key]>, string | number>];

/** Every table of sentences, by language. */
export const languages: Record<Language, Record<MessageKey, string>> = {
  zh,
  en: { ...visitorEn, ...deskEn },
};

/** Return the sentence of `key` with its `{slots}` filled in. */
export function t<Key extends MessageKey>(key: Key, ...values: Values<Key>): string {
  return sentence(language(), key, values[0] ?? {});
}

/** Return the sentence of `key` in one language, wherever it is needed whole: the page before any script. */
export function sentence(
  one: Language,
  key: MessageKey,
  filled: Record<string, string | number> = {},
): string {
  return filledIn(languages[one][key], filled);
}

/** Return a sentence with its `{slots}` filled in. */
export function filledIn(words: string, filled: Record<string, string | number>): string {
  return words.replace(/\{(\w+)\}/g, (slot, name: string) => String(filled[name] ?? slot));
}
