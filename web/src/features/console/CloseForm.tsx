/** Ends a case with a reason and a note; asks once, in place, before it does. */
import { useEffect, useRef, useState } from "react";
import type { Failure } from "../../api/failure";
import type { CloseReason } from "../../api/types";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { Field } from "../../components/Field";
import { t } from "../../lib/messages/t";
import { closingOf, dropClosing, keepClosing } from "./drafts";

const REASONS = ["resolved", "referred", "emergency_handed_over", "visitor_left", "false_alarm"] as const;

interface Props {
  caseId: string;
  busy: boolean;
  onClose: (reason: CloseReason, note: string) => Promise<Failure | null>;
}

export function CloseForm({ caseId, busy, onClose }: Props) {
  const [begun] = useState(() => closingOf(caseId));
  const [asking, setAsking] = useState(begun.isOpen);
  const [reason, setReason] = useState(begun.reason);
  const [note, setNote] = useState(begun.note);
  const [missing, setMissing] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const stood = useRef(asking);
  useEffect(() => {
    if (asking && !stood.current) heading.current?.focus();
    stood.current = asking;
  }, [asking]);

  useEffect(() => keepClosing(caseId, { isOpen: asking, reason, note }), [caseId, asking, reason, note]);

  const send = async (chosen: CloseReason): Promise<void> => {
    setFailure(null);
    const found = await onClose(chosen, note.trim());
    if (found) setFailure(found);
    else dropClosing(caseId);
  };

  if (!asking) {
    return (
      <div>
        <Button onClick={() => setAsking(true)}>{t("case.close")}</Button>
      </div>
    );
  }
  return (
    <form
      className="close-form"
      aria-labelledby="close-heading"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setMissing(reason === null);
        if (reason !== null && !busy) void send(reason);
      }}
    >
      <h3 id="close-heading" ref={heading} tabIndex={-1}>
        {t("case.closeHeading")}
      </h3>
      <p>{t("case.closeNote")}</p>
      <fieldset className="reasons" aria-describedby={missing ? "reason-missing" : undefined}>
        <legend>{t("case.reason")}</legend>
        {REASONS.map((choice) => (
          <label key={choice} className="reason">
            <input
              type="radio"
              name="reason"
              checked={reason === choice}
              onChange={() => {
                setReason(choice);
                setMissing(false);
              }}
            />
            <span>{t(`case.reason.${choice}`)}</span>
          </label>
        ))}
        {missing && (
          <p id="reason-missing" className="field-error" role="alert">
            {t("case.reasonMissing")}
          </p>
        )}
      </fieldset>
      <Field label={t("case.note")} value={note} onChange={setNote} rows={2} />
      {failure && <FailureNote failure={failure} withoutPhones />}
      <div className="answer-actions">
        <Button type="submit" tone="strong" busy={busy}>
          {t("case.closeSend")}
        </Button>
        <Button
          onClick={() => {
            setFailure(null);
            setAsking(false);
          }}
        >
          {t("case.closeCancel")}
        </Button>
      </div>
    </form>
  );
}
