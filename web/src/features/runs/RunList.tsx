/** All trainings, running ones first; looked up again by itself. */
import { useState } from "react";
import { asFailure, type Failure } from "../../api/failure";
import { listTrainings } from "../../api/trainings";
import type { TrainingSummary } from "../../api/types";
import { FailureNote } from "../../components/FailureNote";
import { Link } from "../../components/Link";
import { m } from "../../lib/messages/runs";
import { usePoll } from "../../lib/poll";
import { timeOf } from "../../lib/time";
import { figure } from "./figures";
import { RunMark, stageWords } from "./RunMark";
import { runPath } from "./runPath";
import "./runs.css";
import "./list.css";

const EVERY_MS = 5_000;

export function RunList({ onSignedOut }: { onSignedOut: () => void }) {
  const [found, setFound] = useState<{ runs: TrainingSummary[]; at: string } | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  usePoll(async (signal) => {
    try {
      const runs = await listTrainings(signal);
      if (signal.aborted) return;
      setFound({ runs, at: new Date().toISOString() });
      setFailure(null);
    } catch (thrown) {
      if (signal.aborted) return;
      const problem = asFailure(thrown);
      if (problem.kind === "login") onSignedOut();
      setFailure(problem);
    }
  }, EVERY_MS);
  return (
    <div className="runs">
      <h1>{m("title")}</h1>
      <p className="run-soft">{m("about")}</p>
      {failure && found && <p role="alert">{m("lost")}</p>}
      {failure && !found && <FailureNote failure={failure} withoutPhones />}
      {!found && !failure && <p role="status">{m("loading")}</p>}
      {found && <Rows runs={found.runs} />}
      {found && <p className="run-soft run-small">{m("updated", { time: timeOf(found.at) })}</p>}
    </div>
  );
}

function Rows({ runs }: { runs: TrainingSummary[] }) {
  if (runs.length === 0) return <p className="run-empty">{m("none")}</p>;
  return (
    <ul className="run-rows" aria-label={m("title")}>
      {runs.map((run) => (
        <li key={run.name}>
          <Link to={runPath(run.name)} className="run-row">
            <span className="run-name">{run.name}</span>
            <RunMark run={run} />
            <span className="run-facts">
              {when(run) !== "" && <span>{when(run)}</span>}
              {run.weights !== null && <span>{m("weights", { count: figure(run.weights) })}</span>}
              {run.stages.map((stage) => (
                <span key={stage.name}>{stageWords(stage)}</span>
              ))}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function when(run: TrainingSummary): string {
  if (run.finished_at !== null) return m("finished", { time: timeOf(run.finished_at) });
  return run.began_at === null ? "" : m("began", { time: timeOf(run.began_at) });
}
