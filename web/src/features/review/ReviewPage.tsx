/** Reviewing cleaned texts, one after the other: how far it is, where help is, the text, the decision. */
import { useEffect, useRef, useState } from "react";
import type { ReviewItem, ReviewProgress } from "../../api/types";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { HelpCard } from "../../components/HelpCard";
import { r } from "../../lib/messages/review";
import { timeOf } from "../../lib/time";
import { DecisionForm } from "./DecisionForm";
import { type Draft, draftOf, keepDraft } from "./draft";
import { ItemText } from "./ItemText";
import { Others } from "./Others";
import { type OpenReview, useReview } from "./useReview";
import { Waiting } from "./Waiting";
import "./review.css";

export function ReviewPage({ onSignedOut }: { onSignedOut: () => void }) {
  const open = useReview(onSignedOut);
  const { item, progress, gone, told, busy, failure } = open;
  return (
    <div className="review">
      <h1>{r("title")}</h1>
      <Waiting onSignedOut={onSignedOut} />
      <p className="review-about">{r("about")}</p>
      <Care />
      {failure && <FailureNote failure={failure} withoutPhones onRetry={() => void open.next()} />}
      <p role="status" className="review-told">
        {told ? r(told) : ""}
      </p>
      {progress && <Progress progress={progress} gone={gone} />}
      {item && <Reviewing key={`${item.item} ${item.own?.decided_at}`} item={item} open={open} />}
      {progress && !item && <p className="review-done">{r(progress.total === 0 ? "none" : "done")}</p>}
      {progress === null && busy && <p role="status">{r("loading")}</p>}
      {progress && progress.changeable.length > 0 && <Changeable progress={progress} open={open} />}
    </div>
  );
}

function Care() {
  return (
    <details className="review-care">
      <summary>{r("care.summary")}</summary>
      <p>{r("care.text")}</p>
      <HelpCard />
    </details>
  );
}

function Progress({ progress, gone }: { progress: ReviewProgress; gone: number }) {
  const { total, settled, mine, for_me: left, disputed } = progress;
  if (total === 0) return null;
  return (
    <div className="review-progress">
      <p id="review-progress">{r("progress", { total, settled, mine, left })}</p>
      <progress aria-labelledby="review-progress" max={total} value={settled} />
      {disputed > 0 && <p>{r("disputed", { count: disputed })}</p>}
      {gone > 0 && <p>{r("gone", { count: gone })}</p>}
    </div>
  );
}

function Reviewing({ item, open }: { item: ReviewItem; open: OpenReview }) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(item));
  const top = useRef<HTMLDivElement>(null);
  const isFirst = open.told === null;
  useEffect(() => {
    // The next text begins at its top; the first one leaves the page as it was opened.
    if (isFirst) return;
    top.current?.focus({ preventScroll: true });
    // Focusing what fills the window already would not scroll.
    top.current?.scrollIntoView({ block: "start" });
  }, [isFirst]);
  const change = (next: Draft): void => {
    keepDraft(item.item, next);
    setDraft(next);
  };
  return (
    <div className="review-columns" ref={top} tabIndex={-1}>
      <ItemText item={item} />
      <div className="review-work">
        {item.others.length > 0 && (
          <Others item={item} onTake={(texts) => change({ ...draft, verdict: "edit", texts })} />
        )}
        <DecisionForm
          item={item}
          draft={draft}
          busy={open.busy}
          onChange={change}
          onSend={(decision) => void open.decide(decision)}
          onSkip={() => void open.skip()}
        />
        {item.own && (
          <div>
            <Button onClick={() => void open.next()}>{r("next")}</Button>
          </div>
        )}
      </div>
    </div>
  );
}

function Changeable({ progress, open }: { progress: ReviewProgress; open: OpenReview }) {
  return (
    <details className="review-changeable">
      <summary>{r("changeable", { count: progress.changeable.length })}</summary>
      <p>{r("changeableHint")}</p>
      <ul>
        {progress.changeable.map((own) => (
          <li key={own.item}>
            <Button tone="plain" onClick={() => void open.open(own.item)}>
              {r("change", { time: timeOf(own.decided_at), verdict: r(`verdict.${own.verdict}`) })}
            </Button>
          </li>
        ))}
      </ul>
    </details>
  );
}
