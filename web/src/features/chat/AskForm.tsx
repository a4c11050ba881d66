/** The first question: one line, and more if somebody wants to; keeps the words when sending fails. */
import { useRef, useState } from "react";
import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { t } from "../../lib/messages/t";
import { tooLong } from "./length";

interface Props {
  sending: boolean;
  onAsk: (title: string, details: string) => Promise<boolean>;
}

export function AskForm({ sending, onAsk }: Props) {
  const [title, setTitle] = useState("");
  const [details, setDetails] = useState("");
  const [error, setError] = useState<string>();
  const first = useRef<HTMLInputElement & HTMLTextAreaElement>(null);

  const send = (): void => {
    if (sending) return;
    const empty = title.trim() === "" && details.trim() === "";
    const problem = empty ? t("ask.missing") : tooLong(title + details);
    setError(problem);
    if (problem === undefined) void onAsk(title.trim(), details.trim());
    else first.current?.focus();
  };

  return (
    <form
      className="ask-form"
      aria-label={t("ask.heading")}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Field
        label={t("ask.title")}
        hint={t("ask.titleHint")}
        value={title}
        onChange={setTitle}
        error={error}
        control={first}
      />
      <Field
        label={t("ask.details")}
        hint={t("ask.detailsHint")}
        value={details}
        onChange={setDetails}
        rows={5}
        onSubmit={send}
      />
      <Button type="submit" tone="strong" busy={sending}>
        {t(sending ? "ask.sending" : "ask.send")}
      </Button>
    </form>
  );
}
