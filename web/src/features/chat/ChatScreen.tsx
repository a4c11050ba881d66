/** The visitor's screen: the first question, or the open conversation. */
import { type ReactNode, useEffect, useRef, useState } from "react";
import type { Message, Status } from "../../api/types";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { HelpCard } from "../../components/HelpCard";
import { LanguageSwitch } from "../../components/LanguageSwitch";
import { language } from "../../lib/language";
import { t } from "../../lib/messages/t";
import { AskForm } from "./AskForm";
import { Before, Presence } from "./Before";
import { Conversation } from "./Conversation";
import { Earlier } from "./Earlier";
import { type Chat, useChat } from "./useChat";
import "./chat.css";
import "./first.css";

interface Props {
  status: Status | null;
  reachable: boolean;
  onHelp: () => void;
  onRead: () => void;
  onRights: () => void;
  renderRating: (message: Message) => ReactNode;
}

export function ChatScreen({ status, reachable, onHelp, onRead, onRights, renderRating }: Props) {
  const chat = useChat();
  const talking = chat.state.conversation !== null;
  return (
    <>
      <div className="toolbar">
        {talking && (
          <Button tone="plain" onClick={chat.leave}>
            {t("chat.new")}
          </Button>
        )}
        <LanguageSwitch />
        <Button tone="plain" onClick={onRights}>
          {t("rights.button")}
        </Button>
      </div>
      {talking ? (
        <Conversation
          chat={chat}
          status={status}
          reachable={reachable}
          onHelp={onHelp}
          renderRating={renderRating}
        />
      ) : (
        <FirstQuestion chat={chat} status={status} reachable={reachable} onRead={onRead} />
      )}
    </>
  );
}

function FirstQuestion({
  chat,
  status,
  reachable,
  onRead,
}: {
  chat: Chat;
  status: Status | null;
  reachable: boolean;
  onRead: () => void;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  const [fresh] = useState(() => document.activeElement === document.body);
  useEffect(() => {
    // Coming back from a conversation, the focus would be lost with its button.
    if (!fresh) heading.current?.focus();
  }, [fresh]);
  const { failure } = chat.state;

  if (chat.opening) return <p role="status">{t("chat.loading")}</p>;
  return (
    <div className="first">
      <div className="first-words">
        <h1 ref={heading} tabIndex={-1}>
          {t("ask.heading")}
        </h1>
        <p className="lead">{t("ask.lead")}</p>
        {language() !== "zh" && <p className="lead">{t("language.answers")}</p>}
        <Presence status={status} reachable={reachable} />
      </div>
      <Before />
      <div className="first-form">
        {failure && (
          <FailureNote
            failure={failure.failure}
            onRetry={failure.doing === "send" ? undefined : chat.retry}
          />
        )}
        {(!reachable || failure?.failure.help) && <HelpCard />}
        <AskForm sending={chat.state.sending} onAsk={chat.start} />
        <p>
          {t("reading.instead")}{" "}
          <Button tone="plain" onClick={onRead}>
            {t("reading.button")}
          </Button>
        </p>
      </div>
      <Earlier onOpen={(id) => void chat.open(id)} />
    </div>
  );
}
