/** The counsellor's box; a draft survives refusal, and says when the visitor has written meanwhile. */
import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { t } from "../../lib/messages/t";
import { type DeskState, newestOf, unseen } from "./desk";
import type { OpenCase } from "./useCase";

export function Answer({ open }: { open: OpenCase }) {
  const { draft, busy, sent } = open.state;
  return (
    <form
      className="answer"
      aria-label={t("case.answer")}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void open.answer();
      }}
    >
      <Changed state={open.state} />
      <Field
        label={t("case.answer")}
        value={draft}
        onChange={open.type}
        rows={4}
        onSubmit={() => void open.answer()}
      />
      <div className="answer-actions">
        <Button type="submit" tone="strong" busy={busy || draft.trim() === ""}>
          {t(busy ? "case.sending" : "case.send")}
        </Button>
        <p role="status">{sent ? t("case.sent") : ""}</p>
      </div>
    </form>
  );
}

/** What the writer of a draft must know before the next press. */
function Changed({ state }: { state: DeskState }) {
  const { detail, refused, refusals, unknown, wrote } = state;
  if (detail === null || !(refused || unknown || wrote)) return null;
  const isNew = wrote && unseen(state);
  return (
    <div className="answer-changed">
      {refused && (
        // A new element for each refusal, below for each message: a screen reader says again what reads the same.
        <p key={refusals} role="alert">
          <strong>{t("case.refused")}</strong>
        </p>
      )}
      {isNew && (
        <p key={newestOf(detail)} role="alert">
          {t("case.wrote")}
        </p>
      )}
      {refused && !wrote && <p role="alert">{t("problem.stale")}</p>}
      {unknown && <p role="alert">{t("case.unknown")}</p>}
      <p role="status">{wrote && !isNew ? t("case.fresh") : ""}</p>
    </div>
  );
}
