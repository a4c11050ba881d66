/** The desk: sign-in, the list of cases, one case, texts to review, trainings; loaded only at its own address. */
import { useCallback, useEffect, useState } from "react";
import { asFailure, type Failure } from "../api/failure";
import { signOut, whoAmI } from "../api/staff";
import type { StaffMe } from "../api/types";
import { Button } from "../components/Button";
import { FailureNote } from "../components/FailureNote";
import { LanguageSwitch } from "../components/LanguageSwitch";
import { Link } from "../components/Link";
import { CaseList } from "../features/console/CaseList";
import { CasePage } from "../features/console/CasePage";
import { caseIn, DESK } from "../features/console/casePath";
import { LoginForm } from "../features/login/LoginForm";
import { ReviewPage } from "../features/review/ReviewPage";
import { Waiting } from "../features/review/Waiting";
import { RunList } from "../features/runs/RunList";
import { RunPage } from "../features/runs/RunPage";
import { RUNS, runIn } from "../features/runs/runPath";
import { draftsAreOf, forgetDrafts } from "../lib/drafts";
import { r } from "../lib/messages/review";
import { m } from "../lib/messages/runs";
import { t } from "../lib/messages/t";
import { usePath } from "../lib/place";
import { Header } from "./Header";
import { useStatus } from "./useStatus";
import "./desk.css";

const REVIEWS = "/desk/review";

type Who = { me: StaffMe } | "unknown" | "nobody" | "expired";

export default function DeskPage() {
  const { trial } = useStatus();
  const [who, setWho] = useState<Who>("unknown");
  const [failure, setFailure] = useState<Failure | null>(null);

  const enter = useCallback((me: StaffMe): void => {
    draftsAreOf(me.name);
    setFailure(null);
    setWho({ me });
  }, []);

  useEffect(() => {
    whoAmI().then(enter, (thrown: unknown) => {
      const problem = asFailure(thrown);
      setWho("nobody");
      if (problem.kind !== "login") setFailure(problem);
    });
  }, [enter]);

  const leave = async (): Promise<void> => {
    try {
      await signOut();
      forgetDrafts();
      setFailure(null);
      setWho("nobody");
    } catch (thrown) {
      setFailure(asFailure(thrown));
    }
  };

  const me = typeof who === "object" ? who.me : null;
  useEffect(() => {
    if (me === null) document.title = t("desk.title"); // inside, the list counts waiting cases in it
  });
  return (
    <div className="page page-desk">
      <a className="skip" href="#main">
        {t("app.skip")}
      </a>
      <Header name={t("desk.title")} trial={trial} staff>
        <div className="header-actions">
          <LanguageSwitch />
          {me && (
            <>
              <span className="desk-name">{t("desk.signedIn", { name: me.name })}</span>
              <Button onClick={() => void leave()}>{t("desk.signOut")}</Button>
            </>
          )}
        </div>
      </Header>
      <main id="main" tabIndex={-1} className="main main-desk">
        {failure && <FailureNote failure={failure} withoutPhones />}
        {who === "unknown" && <p role="status">{t("app.opening")}</p>}
        {(who === "nobody" || who === "expired") && (
          <LoginForm again={who === "expired"} onSignedIn={enter} />
        )}
        {me && <Inside me={me} onSignedOut={() => setWho("expired")} />}
      </main>
    </div>
  );
}

function Inside({ me, onSignedOut }: { me: StaffMe; onSignedOut: () => void }) {
  const path = usePath();
  const caseId = caseIn(path);
  if (caseId !== null) return <CasePage key={caseId} caseId={caseId} me={me} onSignedOut={onSignedOut} />;
  const reviewing = path === REVIEWS;
  // The server refuses the trainings to anybody else.
  const atRuns = me.role === "supervisor" && (path === RUNS || runIn(path) !== null);
  return (
    <>
      <nav className="desk-nav" aria-label={r("nav.label")}>
        <Link to={DESK} current={!reviewing && !atRuns}>
          {r("nav.cases")}
        </Link>
        <Link to={REVIEWS} current={reviewing}>
          {r("nav.reviews")}
        </Link>
        {me.role === "supervisor" && (
          <Link to={RUNS} current={path === RUNS}>
            {m("nav")}
          </Link>
        )}
      </nav>
      {reviewing && <ReviewPage onSignedOut={onSignedOut} />}
      {atRuns && <Trainings path={path} onSignedOut={onSignedOut} />}
      {!reviewing && !atRuns && <CaseList onSignedOut={onSignedOut} />}
      <p className="desk-presence">{t("desk.presence")}</p>
    </>
  );
}

function Trainings({ path, onSignedOut }: { path: string; onSignedOut: () => void }) {
  const run = runIn(path);
  return (
    <>
      <Waiting onSignedOut={onSignedOut} />
      {run === null ? (
        <RunList onSignedOut={onSignedOut} />
      ) : (
        <RunPage key={run} run={run} onSignedOut={onSignedOut} />
      )}
    </>
  );
}
