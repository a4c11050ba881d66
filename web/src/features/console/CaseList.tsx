/** All cases by level and age, looked up again every few seconds; looking also tells visitors that somebody is there. */
import { useEffect, useState } from "react";
import { asFailure } from "../../api/failure";
import { listCases } from "../../api/staff";
import type { CaseState, CaseSummary } from "../../api/types";
import { LevelMark } from "../../components/LevelMark";
import { Link } from "../../components/Link";
import { t } from "../../lib/messages/t";
import { usePoll } from "../../lib/poll";
import { timeOf, waited } from "../../lib/time";
import { casePath, shortId } from "./casePath";
import "./console.css";

const EVERY_MS = 5_000;
const STATES = ["open", "taken", "closed", "all"] as const;
type Shown = CaseState | "all";

interface Props {
  onSignedOut: () => void;
}

export function CaseList({ onSignedOut }: Props) {
  const [shown, setShown] = useState<Shown>("open");
  const [found, setFound] = useState<{ shown: Shown; cases: CaseSummary[]; at: string } | null>(null);
  const [lost, setLost] = useState(false);

  const look = async (signal?: AbortSignal): Promise<void> => {
    try {
      const cases = await listCases(shown, signal);
      if (signal?.aborted) return;
      setFound({ shown, cases, at: new Date().toISOString() });
      setLost(false);
    } catch (thrown) {
      if (signal?.aborted) return;
      if (asFailure(thrown).kind === "login") onSignedOut();
      else setLost(true);
    }
  };

  useEffect(() => {
    const open = found?.cases.filter((row) => row.state === "open").length ?? 0;
    // A counsellor who looks at another tab sees the number there.
    document.title = open > 0 ? t("desk.titleCount", { count: open }) : t("desk.title");
  });

  return (
    <div className="cases">
      <h1>{t("desk.list")}</h1>
      <fieldset className="filter">
        <legend>{t("desk.filter")}</legend>
        {STATES.map((state) => (
          <label key={state} className="filter-choice">
            <input type="radio" name="state" checked={shown === state} onChange={() => setShown(state)} />
            <span>{t(`desk.state.${state}`)}</span>
          </label>
        ))}
      </fieldset>
      <Looking key={shown} look={look} />
      {lost && <p role="alert">{t("desk.lost")}</p>}
      {found?.shown === shown && <Rows cases={found.cases} />}
      {found && <p className="cases-updated">{t("desk.updated", { time: timeOf(found.at) })}</p>}
    </div>
  );
}

/** Looks at once when another choice mounts it anew, then again and again. */
function Looking({ look }: { look: (signal: AbortSignal) => Promise<void> }) {
  usePoll(look, EVERY_MS);
  return null;
}

function Rows({ cases }: { cases: CaseSummary[] }) {
  if (cases.length === 0) return <p className="cases-empty">{t("desk.empty")}</p>;
  return (
    <ul className="case-rows" aria-label={t("desk.list")}>
      {cases.map((row) => (
        <li key={row.id}>
          <Link to={casePath(row.id)} className="case-row">
            <LevelMark level={row.level} />
            <span className="case-name">{t("desk.case", { id: shortId(row.id) })}</span>
            <span className="case-fact">
              {t("desk.waiting")} <strong>{waited(row.waiting_s)}</strong>
            </span>
            <span className="case-fact">{t(`desk.state.${row.state}`)}</span>
            <span className="case-fact">
              {t("desk.assignee")}
              {t("punctuation.colon")}
              {row.assignee ?? t("desk.nobody")}
            </span>
            <span className="case-fact">
              {t("desk.lastMessage")} {timeOf(row.last_message_at)}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
