/** What a person reads before the first word: who is there, who can see it, what is kept, how to delete it. */
import type { Status } from "../../api/types";
import { PrivacyFacts } from "../../components/PrivacyFacts";
import { t } from "../../lib/messages/t";

export function Before() {
  return (
    <section className="before" aria-labelledby="before-heading">
      <h2 id="before-heading">{t("before.heading")}</h2>
      <PrivacyFacts />
    </section>
  );
}

/** Whether a counsellor is there now; `status` is null as long as nothing is known. */
export function Presence({ status, reachable }: { status: Status | null; reachable: boolean }) {
  if (!reachable) return <p className="presence presence-absent">{t("presence.unknown")}</p>;
  if (status === null) return null;
  const there = status.counsellor_present;
  return (
    <p className={there ? "presence presence-present" : "presence presence-absent"}>
      {t(there ? "presence.present" : "presence.absent")}
    </p>
  );
}
