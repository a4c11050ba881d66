/** Sign-in of the staff; the password leaves the page only in the request. */
import { useRef, useState } from "react";
import { asFailure, type Failure } from "../../api/failure";
import { signIn } from "../../api/staff";
import type { StaffMe } from "../../api/types";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { Field } from "../../components/Field";
import { t } from "../../lib/messages/t";
import "./login.css";

interface Props {
  /** The session ran out while somebody worked. */
  again: boolean;
  onSignedIn: (me: StaffMe) => void;
}

export function LoginForm({ again, onSignedIn }: Props) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<string>();
  const [failure, setFailure] = useState<Failure | null>(null);
  const [sending, setSending] = useState(false);
  const first = useRef<HTMLInputElement & HTMLTextAreaElement>(null);

  const refuse = (words: string): void => {
    setError(words);
    first.current?.focus();
  };

  const send = async (): Promise<void> => {
    if (sending) return;
    setFailure(null);
    setError(undefined);
    if (name.trim() === "" || password === "") return refuse(t("login.missing"));
    setSending(true);
    try {
      onSignedIn(await signIn(name.trim(), password));
    } catch (thrown) {
      const problem = asFailure(thrown);
      setSending(false);
      setPassword("");
      if (problem.kind === "login" || problem.kind === "forbidden") refuse(t("login.wrong"));
      else setFailure(problem);
    }
  };

  return (
    <form
      className="login"
      noValidate
      aria-labelledby="login-heading"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <h1 id="login-heading">{t("login.heading")}</h1>
      {again && <p role="status">{t("login.again")}</p>}
      <Field
        label={t("login.name")}
        value={name}
        onChange={setName}
        autoComplete="username"
        error={error}
        control={first}
        required
      />
      <Field
        label={t("login.password")}
        value={password}
        onChange={setPassword}
        type="password"
        autoComplete="current-password"
        required
      />
      {failure && <FailureNote failure={failure} withoutPhones />}
      <Button type="submit" tone="strong" busy={sending}>
        {t(sending ? "login.sending" : "login.send")}
      </Button>
    </form>
  );
}
