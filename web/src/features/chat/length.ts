/** How long a message may be; said before sending, so that nobody loses a long text. */
import { t } from "../../lib/messages/t";

// The service's default (`serve.most_message_chars`).
const MOST_CHARS = 4000;

/** Return what to tell when a text is too long, else undefined. */
export function tooLong(text: string): string | undefined {
  const now = Array.from(text).length;
  return now > MOST_CHARS ? t("ask.tooLong", { most: MOST_CHARS, now }) : undefined;
}
