/** What is going on right now, in one line: waiting, writing, stopped, taken over by a person. */
import { Button } from "../../components/Button";
import { type PlainKey, t } from "../../lib/messages/t";
import type { Answering, ChatState, Remark } from "./state";
import type { Presence } from "./usePresence";

const REMARKS: Record<Remark, PlainKey> = {
  stopped: "chat.stopped",
  replaced: "chat.replaced",
  replacedLate: "chat.replacedLate",
  ended: "chat.ended",
};

interface Props {
  state: ChatState;
  onStop: () => void;
}

export function Progress({ state, onStop }: Props) {
  const { answering, remark } = state;
  return (
    <div className="progress">
      <div role="status">
        {answering && (
          <p className="progress-now">
            <span className="progress-dots" aria-hidden="true" />
            {t(waitingFor(answering))}
          </p>
        )}
        {!answering && remark && <p className="progress-now">{t(REMARKS[remark])}</p>}
      </div>
      {answering && !answering.stopping && <Button onClick={onStop}>{t("chat.stop")}</Button>}
    </div>
  );
}

function waitingFor(answering: Answering): PlainKey {
  if (answering.stopping) return "chat.stopping";
  if (answering.broken) return "chat.again";
  if (answering.kind === "library") return "chat.searching";
  return answering.state === "queued" ? "chat.queued" : "chat.writing";
}

interface PersonProps {
  conversation: ChatState["conversation"];
  presence: Presence;
  reachable: boolean;
}

/** Whether a person has come, may come, or was asked for while nobody is there. */
export function PersonNote({ conversation, presence, reachable }: PersonProps) {
  // What was last heard of a counsellor is no longer known.
  if (!reachable) return <p>{t("presence.unknown")}</p>;
  if (conversation?.owner === "person") {
    return <p className="person-here">{t(presence.away ? "chat.takenAway" : "chat.taken")}</p>;
  }
  if (conversation?.case === "closed") return <p>{t("chat.closed")}</p>;
  if (conversation?.case !== "open") return null;
  return <p>{t(presence.present ? "chat.personPresent" : "chat.personAbsent")}</p>;
}
