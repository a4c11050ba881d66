/** What went wrong in calm words, the next step, and the numbers to call, which stay on the screen. */
import type { ReactNode } from "react";
import { type Failure, failureMessage } from "../api/failure";
import { firstLines, linesHere, nameOf } from "../lib/helpLines";
import { language } from "../lib/language";
import { type PlainKey, t } from "../lib/messages/t";
import { Button } from "./Button";
import "./failure.css";

interface Props {
  failure: Failure;
  onRetry?: (() => void) | undefined;
  /** Words for this place, where those of the failure would say something untrue. */
  words?: PlainKey | undefined;
  /** The desk's own people need no numbers here. */
  withoutPhones?: boolean;
  children?: ReactNode;
}

export function FailureNote({ failure, onRetry, words, withoutPhones = false, children }: Props) {
  return (
    <div className="failure" role="alert">
      <p>{t(words ?? failureMessage(failure))}</p>
      {children}
      {onRetry && (
        <div>
          <Button onClick={onRetry}>{t("problem.retry")}</Button>
        </div>
      )}
      {!withoutPhones && <Phones />}
    </div>
  );
}

function Phones() {
  return (
    <p className="failure-phones">
      {t("problem.phones")}
      {[...(linesHere()?.lines ?? []), ...firstLines].map((line) => (
        <a key={line.number} href={`tel:${line.tel}`}>
          {line.number} {nameOf(line, language())}
        </a>
      ))}
    </p>
  );
}
