/** Ends a case with a reason and a note; asks once, in place, before it does. */
import { useEffect, useRef, useState } from "react";
import type { CloseReason } from "../../api/types";
import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { t } from "../../lib/messages/t";

const REASONS = ["resolved", "referred", "emergency_handed_over", "visitor_left", "false_alarm"] as const;

interface Props {
  busy: boolean;
  onClose: (reason: CloseReason, note: string) => Promise<boolean>;
}

export function CloseForm({ busy, onClose }: Props) {
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState<CloseReason | null>(null);
  const [note, setNote] = useState("");
  const [missing, setMissing] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (asking) heading.current?.focus();
  }, [asking]);

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
        if (reason !== null && !busy) void onClose(reason, note.trim());
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
      <div className="answer-actions">
        <Button type="submit" tone="strong" busy={busy}>
          {t("case.closeSend")}
        </Button>
        <Button onClick={() => setAsking(false)}>{t("case.closeCancel")}</Button>
      </div>
    </form>
  );
}
