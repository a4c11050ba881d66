/** What is known of a case beside its words: state, times, who, and what happened when. */
import type { CaseDetail } from "../../api/types";
import { t } from "../../lib/messages/t";
import { timeOf, waited } from "../../lib/time";
import { whatIn, whoIn } from "./history";

export function Facts({ detail }: { detail: CaseDetail }) {
  const { case: summary, history } = detail;
  const facts: [name: string, value: string][] = [
    [t("desk.state"), t(`desk.state.${summary.state}`)],
    [t("desk.waiting"), waited(summary.waiting_s)],
    [t("desk.assignee"), summary.assignee ?? t("desk.nobody")],
    [t("case.language"), t(`case.language.${summary.language}`)],
    [t("case.opened"), timeOf(summary.opened_at)],
    [t("desk.lastMessage"), timeOf(summary.last_message_at)],
  ];
  return (
    <aside className="facts" aria-labelledby="facts-heading">
      <h2 id="facts-heading">{t("case.facts")}</h2>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h3>{t("case.history")}</h3>
      <ol className="history">
        {history.map((event) => (
          <li key={`${event.at} ${event.what}`}>
            <time dateTime={event.at}>{timeOf(event.at)}</time> {whoIn(event.who)} {whatIn(event.what)}
          </li>
        ))}
      </ol>
    </aside>
  );
}
