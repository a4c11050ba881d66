/** Four axes from 1 to 5, a comment, and the unticked box for training use. */
import { useEffect, useId, useRef, useState } from "react";
import { asFailure, type Failure } from "../../api/failure";
import type { Rating } from "../../api/types";
import { rate } from "../../api/visitor";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { Field } from "../../components/Field";
import { t } from "../../lib/messages/t";
import { AXES, type Axis, ratingOf, SCORES, startOf } from "./marks";

interface Props {
  messageId: string;
  before: Rating | null;
  onStored: (rating: Rating) => void;
  onCancel: () => void;
}

export function RatingForm({ messageId, before, onStored, onCancel }: Props) {
  const [draft, setDraft] = useState(() => startOf(before));
  const [missing, setMissing] = useState<Axis | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [sending, setSending] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const consentId = useId();
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    heading.current?.focus();
  }, []);

  const send = async (): Promise<void> => {
    if (sending) return;
    const made = ratingOf(draft);
    if ("missing" in made) {
      setMissing(made.missing);
      form.current?.querySelector<HTMLInputElement>(`input[data-axis="${made.missing}"]`)?.focus();
      return;
    }
    setMissing(null);
    setFailure(null);
    setSending(true);
    try {
      onStored(await rate(messageId, made.rating));
    } catch (thrown) {
      setFailure(asFailure(thrown));
      setSending(false);
    }
  };

  return (
    <form
      ref={form}
      className="rating"
      noValidate
      aria-label={t("rating.heading")}
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <h3 ref={heading} tabIndex={-1} className="rating-heading">
        {t("rating.heading")}
      </h3>
      <p className="rating-scale">{t("rating.scale")}</p>
      {AXES.map((axis) => (
        <AxisMarks
          key={axis}
          axis={axis}
          mark={draft.marks[axis]}
          missing={missing === axis}
          onMark={(mark) => setDraft((now) => ({ ...now, marks: { ...now.marks, [axis]: mark } }))}
        />
      ))}
      <Field
        label={t("rating.comment")}
        rows={2}
        value={draft.comment}
        onChange={(comment) => setDraft((now) => ({ ...now, comment }))}
      />
      <div className="consent">
        <label className="consent-label">
          <input
            type="checkbox"
            checked={draft.consent}
            aria-describedby={consentId}
            onChange={(event) => {
              const consent = event.target.checked;
              setDraft((now) => ({ ...now, consent }));
            }}
          />
          <span>{t("rating.consent")}</span>
        </label>
        <p id={consentId} className="rating-scale">
          {t("rating.consentNote")}
        </p>
      </div>
      {failure && <FailureNote failure={failure} />}
      <div className="rating-actions">
        <Button type="submit" tone="strong" busy={sending}>
          {t("rating.send")}
        </Button>
        <Button onClick={onCancel}>{t("rating.cancel")}</Button>
      </div>
    </form>
  );
}

interface AxisProps {
  axis: Axis;
  mark: number | undefined;
  missing: boolean;
  onMark: (mark: number) => void;
}

function AxisMarks({ axis, mark, missing, onMark }: AxisProps) {
  const id = useId();
  const name = t(`rating.${axis}`);
  return (
    <fieldset className="axis" aria-describedby={missing ? `${id}-error` : undefined}>
      <legend>{name}</legend>
      <div className="axis-scores">
        {SCORES.map((score) => (
          <label key={score} className="axis-score">
            <input
              type="radio"
              name={id}
              value={score}
              data-axis={axis}
              checked={mark === score}
              onChange={() => onMark(score)}
            />
            <span aria-hidden="true">{score}</span>
            <span className="unseen">{t("rating.score", { score })}</span>
          </label>
        ))}
      </div>
      {missing && (
        <p id={`${id}-error`} className="field-error" role="alert">
          {t("rating.missing", { axis: name })}
        </p>
      )}
    </fieldset>
  );
}
