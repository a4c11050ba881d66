/** The counsellor's box; a draft survives refusal, and says when the visitor has written meanwhile. */
import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { t } from "../../lib/messages/t";
import { upToDate } from "./desk";
import type { OpenCase } from "./useCase";

export function Answer({ open }: { open: OpenCase }) {
  const { draft, stale, refused, busy, sent } = open.state;
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
      {stale && (
        <p className="answer-stale" role="alert">
          {refused && t("case.refused")} {t("case.stale")} {upToDate(open.state) && t("case.fresh")}
        </p>
      )}
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
