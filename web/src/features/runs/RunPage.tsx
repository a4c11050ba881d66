/** One training: what it does now, its curves, and everything that it is made of. Nothing can be changed here. */
import { useEffect, useRef, useState } from "react";
import { asFailure, type Failure } from "../../api/failure";
import { listTrainings, readTraining } from "../../api/trainings";
import type { TrainingDetail, TrainingSummary } from "../../api/types";
import { FailureNote } from "../../components/FailureNote";
import { Link } from "../../components/Link";
import { m } from "../../lib/messages/runs";
import { Machine } from "./Machine";
import { Now } from "./Now";
import { Origin } from "./Origin";
import { stagesOf } from "./points";
import { Report } from "./Report";
import { RunMark, stageWords } from "./RunMark";
import { RUNS } from "./runPath";
import { Settings } from "./Settings";
import { StageCurves } from "./StageCurves";
import { type Curve, useCurve } from "./useCurve";
import "./runs.css";

interface Props {
  run: string;
  onSignedOut: () => void;
}

export function RunPage({ run, onSignedOut }: Props) {
  const [compared, setCompared] = useState<string | null>(null);
  const curve = useCurve(run, onSignedOut);
  const other = useCurve(compared, onSignedOut);
  const { detail, others, failure } = useDetail(run, curve.state, onSignedOut);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, []);
  const summary = detail?.summary;
  const isGone = failure?.kind === "gone";
  return (
    <div className="run">
      <Link to={RUNS} className="run-back">
        {m("back")}
      </Link>
      <div className="run-top">
        <h1 ref={heading} tabIndex={-1}>
          {run}
        </h1>
        {summary && <RunMark run={curve.state === null ? summary : { ...summary, state: curve.state }} />}
      </div>
      {isGone && <p className="run-empty">{m("gone")}</p>}
      {failure && !isGone && <FailureNote failure={failure} withoutPhones />}
      {!detail && !failure && <p role="status">{m("loading")}</p>}
      {detail && curve.failure && <p role="alert">{m("lost")}</p>}
      {curve.state === "interrupted" && (
        <p className="run-note">{m("interrupted", { command: `psyllm train resume ${run}` })}</p>
      )}
      {curve.state === "unreadable" && <p className="run-note">{m("unreadable")}</p>}
      {curve.now && <Now now={curve.now} />}
      {summary && !curve.now && (
        <ul className="run-soft">
          {summary.stages.map((stage) => (
            <li key={stage.name}>{stageWords(stage)}</li>
          ))}
        </ul>
      )}
      {others.length > 0 && <Choice others={others} chosen={compared} onChoose={setCompared} />}
      {compared !== null && other.failure && <p role="alert">{m("compare.lost")}</p>}
      {detail && <Curves run={run} curve={curve} compared={compared} other={other} />}
      {detail && <About detail={detail} />}
    </div>
  );
}

interface CurvesProps {
  run: string;
  curve: Curve;
  compared: string | null;
  other: Curve;
}

function Curves({ run, curve, compared, other }: CurvesProps) {
  if (curve.lines.length === 0) return curve.state && <p className="run-empty">{m("curve.none")}</p>;
  const beside = compared === null ? null : { run: compared, lines: other.lines };
  return (
    <div className="run-curves">
      {stagesOf(curve.lines).map((stage) => (
        <StageCurves key={stage} stage={stage} run={run} lines={curve.lines} other={beside} />
      ))}
    </div>
  );
}

interface ChoiceProps {
  others: TrainingSummary[];
  chosen: string | null;
  onChoose: (run: string | null) => void;
}

function Choice({ others, chosen, onChoose }: ChoiceProps) {
  return (
    <label className="run-choice">
      <span>{m("compare")}</span>
      <select value={chosen ?? ""} onChange={(event) => onChoose(event.target.value || null)}>
        <option value="">{m("compare.nobody")}</option>
        {others.map((one) => (
          <option key={one.name} value={one.name}>
            {one.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function About({ detail }: { detail: TrainingDetail }) {
  return (
    <div className="run-columns">
      <Settings settings={detail.settings} />
      <Report report={detail.report} />
      <Machine detail={detail} />
      <Origin detail={detail} />
    </div>
  );
}

interface Known {
  detail: TrainingDetail | null;
  others: TrainingSummary[];
  failure: Failure | null;
}

/** Read what a training is made of; again when its state changes, for then there is more to know. */
function useDetail(run: string, state: string | null, onSignedOut: () => void): Known {
  const [known, setKnown] = useState<Known>({ detail: null, others: [], failure: null });
  const signedOut = useRef(onSignedOut);
  useEffect(() => {
    signedOut.current = onSignedOut;
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new state is a reason to look again
  useEffect(() => {
    const stop = new AbortController();
    Promise.all([readTraining(run, stop.signal), listTrainings(stop.signal)]).then(
      ([detail, all]) => {
        const others = all.filter((one) => one.name !== run && one.stages.length > 0);
        if (!stop.signal.aborted) setKnown({ detail, others, failure: null });
      },
      (thrown: unknown) => {
        if (stop.signal.aborted) return;
        const failure = asFailure(thrown);
        if (failure.kind === "login") signedOut.current();
        setKnown((before) => ({ ...before, failure }));
      },
    );
    return () => stop.abort();
  }, [run, state]);
  return known;
}
