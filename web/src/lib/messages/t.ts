/**
 * `t()` turns a typed key and its values into the sentence of the page's language.
 *
 * A language is one more table with the same keys in `languages`; the page's
 * `lang` attribute chooses. No component holds a sentence of its own.
 */
import { zh } from "./zh.ts";

type MessageKey = keyof typeof zh;
type Messages = Record<MessageKey, string>;

type Slots<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Slots<Rest>
  : never;
/** A key whose sentence has nothing to fill in. */
export type PlainKey = {
  [Key in MessageKey]: [Slots<(typeof zh)[Key]>] extends [never] ? Key : never;
}[MessageKey];
type Values<Key extends MessageKey> = [Slots<(typeof zh)[Key]>] extends [never]
  ? []
  : [values: Record<Slots<(typeof zh)[Key]>, string | number>];

const languages: Record<string, Messages> = { zh };

function messages(): Messages {
  const language = typeof document === "undefined" ? "zh" : document.documentElement.lang.slice(0, 2);
  return languages[language] ?? zh;
}

/** Return the sentence of `key` with its `{slots}` filled in. */
export function t<Key extends MessageKey>(key: Key, ...values: Values<Key>): string {
  const filled: Record<string, string | number> = values[0] ?? {};
  return messages()[key].replace(/\{(\w+)\}/g, (slot, name: string) => String(filled[name] ?? slot));
}
