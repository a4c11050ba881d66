/** The visitor's earlier conversations of this browser, to go on with. */
import { useEffect, useState } from "react";
import type { ConversationSummary } from "../../api/types";
import { listConversations } from "../../api/visitor";
import { t } from "../../lib/messages/t";
import { timeOf } from "../../lib/time";

interface Props {
  onOpen: (conversationId: string) => void;
}

export function Earlier({ onOpen }: Props) {
  const [earlier, setEarlier] = useState<ConversationSummary[]>([]);
  useEffect(() => {
    const leaving = new AbortController();
    // Without the list one can still ask; a server that does not answer is told of elsewhere.
    listConversations(leaving.signal).then(setEarlier, () => undefined);
    return () => leaving.abort();
  }, []);
  if (earlier.length === 0) return null;
  return (
    <section className="earlier" aria-labelledby="earlier-heading">
      <h2 id="earlier-heading">{t("ask.earlier")}</h2>
      <ul>
        {earlier.map((conversation) => (
          <li key={conversation.id}>
            <button type="button" className="earlier-open" onClick={() => onOpen(conversation.id)}>
              <span className="earlier-title">{conversation.title}</span>
              {conversation.unread && <span className="earlier-unread">{t("ask.unread")}</span>}
              <time dateTime={conversation.updated_at}>{timeOf(conversation.updated_at)}</time>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
