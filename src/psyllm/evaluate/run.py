"""The door of this room: the model in use is measured, `4_models` → `5_reports`.

In: the current model and the corpus that its manifest names. Out: a run with
`report.html` (one file, no links), `metrics.json` and `answers.jsonl`. The
split measured is the one the model's own corpus kept apart, never that of a
newer corpus. A model whose terms have ended is not measured. Nothing is trained
or chosen here.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from psyllm.core.errors import MissingStage
from psyllm.core.permits import permit_of_model, refuse_ended
from psyllm.core.settings import EvaluateSettings
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    fingerprint,
    need_current,
    read_manifest,
    stage_folder,
    up_to_date,
    writing,
)

ROOMS = ("core", "text", "safety", "lm", "evaluate")
MODEL_FOLDER = "model"


def run(settings: EvaluateSettings, data: Path) -> Manifest:
    """Measure the model in use; return at once if this was done before.

    Raises:
        MissingStage: there is no model, the corpus it was made from is gone, or an agreement that
            it rests on has ended.
        EmptyCorpus: the split holds nothing to measure on.
    """
    model_folder, model = need_current(data, Stage.MODELS)
    again = f"train one without it: psyllm corpus --data {data}, then psyllm train --data {data}"
    refuse_ended(permit_of_model(model), f"model {model.run}", again, dt.datetime.now(dt.UTC).date())
    corpus_folder, corpus = _corpus_of(model, data)
    parents = (model.as_parent(), corpus.as_parent())
    resolved = settings.model_dump(mode="json")
    mark = fingerprint(Stage.REPORTS, parents, resolved, ROOMS)
    name = f"report-{mark[:12]}"
    done = up_to_date(data, Stage.REPORTS, name)
    if done is not None:
        return done

    from psyllm.evaluate.against import other_of
    from psyllm.evaluate.findings import find_out
    from psyllm.evaluate.losses import read_losses
    from psyllm.evaluate.report import Origin, write_report

    with writing(StageRun(data, Stage.REPORTS, name, mark, parents, resolved)) as stage_run:
        other = other_of(model_folder, model) if settings.against == "parent" else None
        findings = find_out(model_folder / MODEL_FOLDER, corpus_folder, settings, other)
        origin = Origin(model, corpus, settings, read_losses(model_folder), other)
        write_report(stage_run.folder, findings, origin)
        return stage_run.finish(counts=findings.counts._asdict(), seeds={"evaluate": settings.seed})


def _corpus_of(model: Manifest, data: Path) -> tuple[Path, Manifest]:
    stage = stage_folder(data, Stage.CORPUS)
    named = [parent for parent in model.parents if parent.stage == Stage.CORPUS.value]
    if not named:
        message = f"the manifest of model {model.run} names no corpus"
        raise MissingStage(message, f"train it again: psyllm train --data {data}")
    parent = named[0]
    corpus = read_manifest(stage / parent.run)
    if corpus is None or corpus.content_hash != parent.content_hash:
        found = "is not there any more" if corpus is None else "holds something else now"
        message = f"model {model.run} was trained on {stage / parent.run}, which {found}"
        raise MissingStage(message, f"run: psyllm corpus --data {data}, then psyllm train --data {data}")
    return stage / parent.run, corpus
