/** The two blind decisions, for whoever settles where they differ; nobody's name stands with them. */
import type { ReviewItem, ReviewOpinion, ReviewTexts } from "../../api/types";
import { Button } from "../../components/Button";
import { Prose } from "../../components/Prose";
import { r } from "../../lib/messages/review";
import { textsOf } from "./draft";
import { partsOf, verdictIn } from "./parts";

interface Props {
  item: ReviewItem;
  onTake: (texts: ReviewTexts) => void;
}

export function Others({ item, onTake }: Props) {
  return (
    <section className="review-others" aria-labelledby="review-others">
      <h2 id="review-others">{r("others")}</h2>
      <p>{r("others.hint")}</p>
      {item.others.map((other, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the two never change places
        <Other key={place} item={item} other={other} number={place + 1} onTake={onTake} />
      ))}
    </section>
  );
}

function Other({ item, other, number, onTake }: Props & { other: ReviewOpinion; number: number }) {
  const { edited } = other;
  // Of an edit only what differs is shown: the text itself stands beside it.
  const original = partsOf(item, textsOf(item));
  return (
    <article className="review-other">
      <h3>{r("other", { number, verdict: verdictIn(item, other.verdict) })}</h3>
      {other.reason && <p>{r("otherReason", { reason: r(`reason.${other.reason}`) })}</p>}
      {other.note !== "" && <p>{other.note}</p>}
      {edited && (
        <>
          {partsOf(item, edited).map(
            (part, place) =>
              part.text !== original[place]?.text && (
                <div key={`${part.field}-${part.place}`}>
                  <h4>{part.field === "turns" ? `${part.place + 1} ${part.name}` : part.name}</h4>
                  {part.text === "" ? <p>{r("removed")}</p> : <Prose text={part.text} lang="zh-CN" />}
                </div>
              ),
          )}
          <div>
            <Button onClick={() => onTake(edited)}>{r("takeEdit")}</Button>
          </div>
        </>
      )}
    </article>
  );
}
