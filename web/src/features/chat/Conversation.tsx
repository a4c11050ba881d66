/** The open conversation: messages, what is going on, what one can do next, the composer. */
import { type ReactNode, useEffect, useRef } from "react";
import type { Message, Status } from "../../api/types";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { HelpCard } from "../../components/HelpCard";
import { t } from "../../lib/messages/t";
import { Composer } from "./Composer";
import { MessageList } from "./MessageList";
import { PersonNote, Progress } from "./Progress";
import { awaitsPerson, type ChatState, isForTheModel, mayAskAnother } from "./state";
import type { Chat } from "./useChat";
import { type Presence, usePresence } from "./usePresence";
import { useReading } from "./useReading";

interface Props {
  chat: Chat;
  status: Status | null;
  reachable: boolean;
  onHelp: () => void;
  renderRating: (message: Message) => ReactNode;
}

export function Conversation({ chat, status, reachable, onHelp, renderRating }: Props) {
  const { state } = chat;
  const presence = usePresence(state, status);
  const heading = useRef<HTMLHeadingElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const log = useRef<HTMLDivElement>(null);
  const own = state.messages.filter((message) => message.author === "visitor");
  const { unseen, showNewest } = useReading(
    { log, end },
    {
      newest: state.answering?.messageId ?? state.messages[state.messages.length - 1]?.id,
      newestOwn: own[own.length - 1]?.id,
      failure: state.failure,
    },
  );

  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, []);

  return (
    <div className="conversation">
      <h1 ref={heading} tabIndex={-1} className="conversation-title">
        <span className="unseen">{t("chat.headingPrefix")}</span>
        {state.conversation?.title}
      </h1>
      <MessageList log={log} state={state} renderRating={renderRating} />
      <Progress state={state} onStop={() => void chat.stop()} />
      {state.conversation?.level === "distress" && !state.conversation.help && (
        <p className="quiet-help">
          {t("help.quiet")}{" "}
          <Button tone="plain" onClick={onHelp}>
            {t("help.open")}
          </Button>
        </p>
      )}
      {needsNumbers(state, presence, reachable) && <HelpCard />}
      <NextSteps chat={chat} status={status} />
      {state.failure && (
        <FailureNote
          failure={state.failure.failure}
          onRetry={state.failure.doing === "send" ? undefined : chat.retry}
        />
      )}
      <div ref={end} />
      <div className="foot">
        {unseen && <Button onClick={showNewest}>{t("chat.unseen")}</Button>}
        <div className="person-note" role="status">
          <PersonNote conversation={state.conversation} presence={presence} reachable={reachable} />
        </div>
        <Composer sending={state.sending} onSay={chat.say} />
      </div>
    </div>
  );
}

/** Whether the numbers belong here although the conversation itself did not ask for them. */
function needsNumbers(
  { conversation, failure }: ChatState,
  { present, away }: Presence,
  reachable: boolean,
): boolean {
  if (conversation?.help) return false;
  return !reachable || away || (conversation?.case === "open" && !present) || failure?.failure.help === true;
}

function NextSteps({ chat, status }: { chat: Chat; status: Status | null }) {
  const { state } = chat;
  const another = mayAskAnother(state);
  const writes = status?.generation === "ready" && isForTheModel(state);
  const person = !awaitsPerson(state);
  if (!another && !person) return null;
  return (
    <div className="next-steps">
      {another && (
        <Button aria-describedby="another-note" onClick={() => void chat.askAnother()}>
          {t("chat.another")}
        </Button>
      )}
      {person && <Button onClick={() => void chat.askPerson()}>{t("chat.person")}</Button>}
      {another && (
        <p id="another-note" className="next-note">
          {t(writes ? "chat.anotherNote" : "chat.anotherFound")}
        </p>
      )}
    </div>
  );
}
