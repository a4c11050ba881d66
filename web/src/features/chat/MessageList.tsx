/**
 * The conversation in order, with the answer in the making and the help card at the newest turn.
 *
 * A live region: new sentences are read out one by one, as they come.
 */
import { Fragment, type ReactNode, type RefObject } from "react";
import type { Message } from "../../api/types";
import { HelpCard } from "../../components/HelpCard";
import { MessageCard } from "../../components/MessageCard";
import { t } from "../../lib/messages/t";
import { type ChatState, releasedOf } from "./state";

interface Props {
  log: RefObject<HTMLDivElement | null>;
  state: ChatState;
  renderRating: (message: Message) => ReactNode;
}

export function MessageList({ log, state, renderRating }: Props) {
  const { answering, conversation, helpFirst } = state;
  const messages = [...state.messages.filter((message) => message.id !== answering?.messageId)];
  // In the same list under the same key: when it is done its elements stay, and nothing is read out twice.
  const released = releasedOf(answering);
  if (released !== null) messages.push(released);
  const newestOwn = messages.reduce(
    (found, message, place) => (message.author === "visitor" ? place : found),
    -1,
  );
  const help = conversation?.help === true;
  return (
    <>
      <div ref={log} role="log" aria-label={t("chat.log")} className="log">
        {messages.map((message, place) => (
          <Fragment key={message.id}>
            <MessageCard
              author={message.author}
              text={message.text}
              createdAt={message.created_at}
              source={message.source}
            >
              {message.can_rate && renderRating(message)}
            </MessageCard>
            {helpFirst && place === newestOwn && <HelpCard />}
          </Fragment>
        ))}
      </div>
      {help && !helpFirst && <HelpCard />}
      {helpFirst && (
        <p className="unseen" role="alert">
          {t("help.first", { title: t("help.title"), danger: t("help.danger") })}
        </p>
      )}
    </>
  );
}
