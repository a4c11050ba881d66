/** One's own data: take a copy along, or delete all of it after a second question. */
import { useEffect, useRef, useState } from "react";
import { asFailure, type Failure } from "../../api/failure";
import { eraseData, exportData } from "../../api/visitor";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { PrivacyFacts } from "../../components/PrivacyFacts";
import { Sheet } from "../../components/Sheet";
import { type PlainKey, t } from "../../lib/messages/t";
import { saveFile } from "./saveFile";
import "./rights.css";

type Step = "resting" | "asking" | "deleting" | "deleted";

interface Props {
  onClose: () => void;
  /** Called when everything is deleted: the page must forget it, too. */
  onErased: () => void;
}

export function RightsSheet({ onClose, onErased }: Props) {
  const [step, setStep] = useState<Step>("resting");
  const [exported, setExported] = useState(false);
  // What fails here is no message that was written: the usual words would speak of the wrong thing.
  const [failed, setFailed] = useState<{ failure: Failure; words: PlainKey } | null>(null);

  const outcome = useRef<HTMLParagraphElement>(null);

  useEffect(() => {
    // The button that had the focus is gone.
    if (step === "deleted") outcome.current?.focus();
  }, [step]);

  const download = async (): Promise<void> => {
    setFailed(null);
    try {
      saveFile(await exportData(), "psyllm-export.json");
      setExported(true);
    } catch (thrown) {
      const failure = asFailure(thrown);
      setFailed({ failure, words: failure.kind === "gone" ? "rights.nothing" : "rights.exportFailed" });
    }
  };

  const erase = async (): Promise<void> => {
    setFailed(null);
    setStep("deleting");
    try {
      await eraseData();
      setStep("deleted");
      onErased();
    } catch (thrown) {
      setFailed({ failure: asFailure(thrown), words: "rights.deleteFailed" });
      setStep("asking");
    }
  };

  return (
    <Sheet title={t("rights.title")} closeLabel={t("rights.close")} onClose={onClose}>
      <p>{t("rights.lead")}</p>
      <PrivacyFacts />
      {failed && <FailureNote failure={failed.failure} words={failed.words} />}
      <section className="right" aria-labelledby="right-export">
        <h2 id="right-export">{t("rights.exportTitle")}</h2>
        <p>{t("rights.exportText")}</p>
        <Button onClick={() => void download()}>{t("rights.export")}</Button>
        <p role="status">{exported ? t("rights.exported") : ""}</p>
      </section>
      <section className="right" aria-labelledby="right-delete">
        <h2 id="right-delete">{t("rights.deleteTitle")}</h2>
        <p>{t("rights.deleteText")}</p>
        {step === "resting" && <Button onClick={() => setStep("asking")}>{t("rights.delete")}</Button>}
        {(step === "asking" || step === "deleting") && (
          <Confirm busy={step === "deleting"} onYes={() => void erase()} onNo={() => setStep("resting")} />
        )}
        <p role="status" ref={outcome} tabIndex={-1}>
          {step === "deleted" ? t("rights.deleted") : ""}
        </p>
      </section>
    </Sheet>
  );
}

function Confirm({ busy, onYes, onNo }: { busy: boolean; onYes: () => void; onNo: () => void }) {
  const question = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    question.current?.focus();
  }, []);
  return (
    <div className="right-confirm">
      <p ref={question} tabIndex={-1}>
        {t("rights.confirm")}
      </p>
      <Button onClick={onNo}>{t("rights.confirmNo")}</Button>
      <Button tone="help" busy={busy} onClick={onYes}>
        {t(busy ? "rights.deleting" : "rights.confirmYes")}
      </Button>
    </div>
  );
}
