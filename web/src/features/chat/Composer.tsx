/** The box for the next message; it keeps the words until the server has them. */
import { useState } from "react";
import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { t } from "../../lib/messages/t";
import { tooLong } from "./length";

interface Props {
  sending: boolean;
  onSay: (text: string) => Promise<boolean>;
}

export function Composer({ sending, onSay }: Props) {
  const [text, setText] = useState("");
  const [error, setError] = useState<string>();

  const send = async (): Promise<void> => {
    const words = text.trim();
    if (sending) return;
    const problem = words === "" ? t("ask.missing") : tooLong(words);
    setError(problem);
    if (problem !== undefined) return;
    const taken = await onSay(words);
    // Only what was sent is taken away, not what was typed meanwhile.
    if (taken) setText((now) => (now.trim() === words ? "" : now));
  };

  return (
    <form
      className="composer"
      aria-label={t("chat.compose")}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <Field
        label={t("chat.compose")}
        hint={t("chat.composeHint")}
        hideLabel
        value={text}
        onChange={setText}
        error={error}
        rows={1}
        onSubmit={() => void send()}
      />
      <Button type="submit" tone="strong" busy={sending}>
        {t(sending ? "ask.sending" : "chat.send")}
      </Button>
    </form>
  );
}
