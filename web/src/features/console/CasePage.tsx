/** One case: the conversation with what screening saw in it, the facts, taking, answering, closing. */
import { useEffect, useRef } from "react";
import type { FailureKind } from "../../api/failure";
import type { CaseDetail, CaseScreening, StaffMe } from "../../api/types";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { LevelMark } from "../../components/LevelMark";
import { Link } from "../../components/Link";
import { MessageCard } from "../../components/MessageCard";
import { t } from "../../lib/messages/t";
import { Answer } from "./Answer";
import { CloseForm } from "./CloseForm";
import { DESK, shortId } from "./casePath";
import { Facts } from "./Facts";
import { type OpenCase, useCase } from "./useCase";
import "./console.css";

/** A look that failed is made again by itself; nobody has to try. */
const LOOKS_AGAIN: ReadonlySet<FailureKind> = new Set(["offline", "slow", "server"]);

interface Props {
  caseId: string;
  me: StaffMe;
  onSignedOut: () => void;
}

export function CasePage({ caseId, me, onSignedOut }: Props) {
  const open = useCase(caseId, onSignedOut);
  const { detail, lost, unsent } = open.state;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div className="case">
      <div className="case-top">
        <Link to={DESK} className="case-back">
          {t("desk.back")}
        </Link>
        <h1 ref={heading} tabIndex={-1}>
          {t("desk.case", { id: shortId(caseId) })}
        </h1>
        {detail && <LevelMark level={detail.case.level} />}
      </div>
      {lost && (
        <FailureNote
          failure={lost}
          words={LOOKS_AGAIN.has(lost.kind) ? "case.lost" : undefined}
          withoutPhones
        />
      )}
      {detail ? (
        <div className="case-columns">
          <section className="case-talk" aria-labelledby="talk-heading">
            <h2 id="talk-heading">{t("case.conversation")}</h2>
            <Talk detail={detail} />
            <Work open={open} detail={detail} me={me} />
            {unsent && <FailureNote failure={unsent} withoutPhones />}
          </section>
          <Facts detail={detail} />
        </div>
      ) : (
        !lost && <p role="status">{t("case.loading")}</p>
      )}
    </div>
  );
}

function Talk({ detail }: { detail: CaseDetail }) {
  const seen = new Map(detail.screenings.map((screening) => [screening.message_id, screening]));
  return (
    <div role="log" aria-label={t("chat.log")} className="log">
      {detail.conversation.messages.map((message) => (
        <MessageCard
          key={message.id}
          author={message.author}
          text={message.text}
          createdAt={message.created_at}
          source={message.source}
          desk
        >
          {seen.has(message.id) && <p className="case-rules">{screened(seen.get(message.id))}</p>}
        </MessageCard>
      ))}
    </div>
  );
}

function screened(screening: CaseScreening | undefined): string {
  if (screening === undefined) return "";
  const level = t(`level.${screening.level}`);
  if (screening.rules.length === 0) return t("case.rulesNone", { level });
  return t("case.rules", { level, rules: screening.rules.join(", ") });
}

/** What the counsellor may do in the case's present state. */
function Work({ open, detail, me }: { open: OpenCase; detail: CaseDetail; me: StaffMe }) {
  const { state, assignee } = detail.case;
  if (state === "closed") return <Over words={t("case.closed")} draft={open.state.draft} />;
  if (state === "open") {
    return (
      <div className="case-take">
        <Button tone="strong" busy={open.state.busy} onClick={() => void open.take()}>
          {t("case.take")}
        </Button>
        <p>{t("case.takeNote")}</p>
      </div>
    );
  }
  if (assignee !== me.name) {
    const words = t("case.taken", { name: assignee ?? t("desk.nobody") });
    return <Over words={words} draft={open.state.draft} />;
  }
  return (
    <>
      <Answer open={open} />
      <CloseForm caseId={detail.case.id} busy={open.state.busy} onClose={open.close} />
    </>
  );
}

/** Why nothing can be done here, and the words that were not sent, to be copied. */
function Over({ words, draft }: { words: string; draft: string }) {
  return (
    <>
      <p className="case-note">{words}</p>
      {draft.trim() !== "" && (
        <div className="case-note">
          <p role="alert">{t("case.unsentDraft")}</p>
          <blockquote>{draft}</blockquote>
        </div>
      )}
    </>
  );
}
