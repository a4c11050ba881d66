/** One text to review: what it is, why cleaning left it out if it did, and its parts in reading order. */
import type { ReviewItem, ReviewTexts } from "../../api/types";
import { LevelMark } from "../../components/LevelMark";
import { Prose } from "../../components/Prose";
import { r } from "../../lib/messages/review";
import { textsOf } from "./draft";
import { partsOf } from "./parts";

export function ItemText({ item }: { item: ReviewItem }) {
  return (
    <section className="review-text" aria-labelledby="review-text">
      <h2 id="review-text" className="unseen">
        {r("text")}
      </h2>
      <p className="review-facts">
        <LevelMark level={item.level} />
        <span>{r(`kind.${item.kind}`)}</span>
        {item.minor && <strong>{r("minor")}</strong>}
        <span>{r("source", { source: item.source })}</span>
      </p>
      {item.dropped_for !== "" && (
        <p className="review-dropped">
          {r("droppedFor", { reason: item.dropped_for })} <span lang="en">{item.dropped_because}</span>
        </p>
      )}
      {partsOf(item, textsOf(item)).map((part) => (
        <article key={`${part.field}-${part.place}`} className={`review-part review-${part.voice}`}>
          <h3>{part.name}</h3>
          <Prose text={part.text} lang="zh-CN" />
        </article>
      ))}
      {item.stays && <Stays texts={item.stays} />}
    </section>
  );
}

/** The record that cleaning kept in place of a near duplicate. */
function Stays({ texts }: { texts: ReviewTexts }) {
  const whole = [texts.title, texts.text, ...texts.turns, ...texts.answers].filter((text) => text !== "");
  return (
    <article className="review-part review-stays">
      <h3>{r("stays")}</h3>
      <Prose text={whole.join("\n")} lang="zh-CN" />
    </article>
  );
}
