/** A text in paragraphs, each sentence an element of its own, so that a new one is read out alone. */
import { paragraphsOf } from "../lib/sentences";
import "./message.css";

export function Prose({ text, lang }: { text: string; lang?: string | undefined }) {
  return (
    <div className="message-text" lang={lang}>
      {paragraphsOf(text).map((sentences, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a text only grows at its end
        <p key={line}>
          {sentences.map((sentence, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <span key={place}>{sentence}</span>
          ))}
        </p>
      ))}
    </div>
  );
}
