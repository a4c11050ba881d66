/** Random keys with which the server knows a retry from a second message. */

/** Return a new random key; also where `randomUUID` is missing (a page without https). */
export function newRequestKey(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export interface KeyedText {
  text: string;
  key: string;
}

/** Return the last key for the same words, a new one for others: a retry is never a second message. */
export function keyFor(text: string, last: KeyedText | null): KeyedText {
  return last?.text === text ? last : { text, key: newRequestKey() };
}
