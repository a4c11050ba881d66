/** The reviewer's decision: use it, use it edited, don't use it; keys A, E and R choose, and can be switched off. */
import { useRef, useState } from "react";
import type { ReviewDecision, ReviewItem, ReviewVerdict } from "../../api/types";
import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { r } from "../../lib/messages/review";
import { type Draft, decisionOf, lackOf, withText } from "./draft";
import { partsOf, verdictIn } from "./parts";
import { useKeys } from "./useKeys";

const VERDICTS = ["accept", "edit", "reject"] as const;
const REASONS = [
  "harmful",
  "ignores_crisis",
  "personal_data",
  "not_counselling",
  "advertisement",
  "broken",
  "other",
] as const;

interface Props {
  item: ReviewItem;
  draft: Draft;
  busy: boolean;
  onChange: (draft: Draft) => void;
  onSend: (decision: ReviewDecision) => void;
  onSkip: () => void;
}

export function DecisionForm({ item, draft, busy, onChange, onSend, onSkip }: Props) {
  // What a draft lacks is told once it was to be sent, and until it changes.
  const [tried, setTried] = useState<Draft | null>(null);
  const lack = tried === draft ? lackOf(draft, item) : null;
  const [keys, setKeys] = useState(true);
  const radios = useRef<Partial<Record<ReviewVerdict, HTMLInputElement | null>>>({});
  useKeys(keys, (verdict) => {
    onChange({ ...draft, verdict });
    radios.current[verdict]?.focus();
  });

  return (
    <form
      className="review-form"
      aria-labelledby="review-decision"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setTried(draft);
        if (lackOf(draft, item) === null && !busy) onSend(decisionOf(draft));
      }}
    >
      <h2 id="review-decision">{r("decision")}</h2>
      <fieldset className="review-choices">
        <legend className="unseen">{r("decision")}</legend>
        {VERDICTS.map((verdict) => (
          <label key={verdict} className="review-choice">
            <input
              ref={(element) => {
                radios.current[verdict] = element;
              }}
              type="radio"
              name="verdict"
              checked={draft.verdict === verdict}
              onChange={() => onChange({ ...draft, verdict })}
            />
            <span>{verdictIn(item, verdict)}</span>
          </label>
        ))}
      </fieldset>
      {draft.verdict === "reject" && <Reasons draft={draft} onChange={onChange} />}
      {draft.verdict === "edit" && <Texts item={item} draft={draft} onChange={onChange} />}
      {draft.verdict !== null && (
        <Field
          label={r("note")}
          value={draft.note}
          onChange={(note) => onChange({ ...draft, note })}
          rows={2}
        />
      )}
      {lack === "reason" && (
        <p className="field-error" role="alert">
          {r("reasonMissing")}
        </p>
      )}
      {lack === "same" && (
        <p className="field-error" role="alert">
          {r("edit.same")}
        </p>
      )}
      <div className="review-actions">
        <Button type="submit" tone="strong" busy={busy || draft.verdict === null}>
          {r(busy ? "sending" : "send")}
        </Button>
        <Button busy={busy} onClick={onSkip}>
          {r("skip")}
        </Button>
      </div>
      <label className="review-keys">
        <input type="checkbox" checked={keys} onChange={(event) => setKeys(event.target.checked)} />
        <span>
          {r("keysOn")} <small>{r("keys")}</small>
        </span>
      </label>
    </form>
  );
}

function Reasons({ draft, onChange }: { draft: Draft; onChange: (draft: Draft) => void }) {
  return (
    <fieldset className="review-choices">
      <legend>{r("reason")}</legend>
      {REASONS.map((reason) => (
        <label key={reason} className="review-choice">
          <input
            type="radio"
            name="reason"
            checked={draft.reason === reason}
            onChange={() => onChange({ ...draft, reason })}
          />
          <span>{r(`reason.${reason}`)}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface TextsProps {
  item: ReviewItem;
  draft: Draft;
  onChange: (draft: Draft) => void;
}

function Texts({ item, draft, onChange }: TextsProps) {
  return (
    <section className="review-edit" aria-labelledby="review-edit">
      <h3 id="review-edit">{r("edit")}</h3>
      <p className="field-hint">{r("edit.hint")}</p>
      {item.has_spans && <p className="field-hint">{r("edit.spans")}</p>}
      {partsOf(item, draft.texts).map((part) => (
        <Field
          key={`${part.field}-${part.place}`}
          label={part.field === "turns" ? `${part.place + 1} ${part.name}` : part.name}
          value={part.text}
          onChange={(text) => onChange(withText(draft, part.field, part.place, text))}
          rows={3}
        />
      ))}
    </section>
  );
}
