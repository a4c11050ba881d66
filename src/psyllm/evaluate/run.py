"""The door of this room: the model in use is measured, or several side by side, `4_models` → `5_reports`.

In: the current model and the corpus that its manifest names. Out: a run with
`report.html` (one file, no links), `metrics.json` and `answers.jsonl`. The
split measured is the one the model's own corpus kept apart, never that of a
newer corpus, less what a base has read or may have read. A model whose terms have ended is
not measured. A comparison is a run as well, but never the report in use, which
says of the one model in use whether it may speak. Nothing is trained or chosen
here.
"""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Sequence
from pathlib import Path

from psyllm.core.errors import BadSetting, MissingStage
from psyllm.core.permits import permit_of_model, refuse_ended
from psyllm.core.settings import EvaluateSettings
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    command_for,
    complete_runs,
    fingerprint,
    need_current,
    read_manifest,
    stage_folder,
    up_to_date,
    writing,
)

ROOMS = ("core", "text", "safety", "lm", "evaluate")
MODEL_FOLDER = "model"
FEWEST_COMPARED = 2


def run(settings: EvaluateSettings, data: Path) -> Manifest:
    """Measure the model in use; return at once if this was done before.

    Raises:
        MissingStage: there is no model, the corpus it was made from is gone, or an agreement that
            it rests on has ended.
        EmptyCorpus: the split holds nothing to measure on.
    """
    from psyllm.evaluate.learnt_from import look_of
    from psyllm.evaluate.seen_before import mark_of, prints_to_look_into, seen_by_bases

    model_folder, model = need_current(data, Stage.MODELS)
    _refuse_ended(model, data)
    corpus_folder, corpus = _corpus_of(model, data)
    parents = (model.as_parent(), corpus.as_parent())
    resolved = settings.model_dump(mode="json")
    prints, look = prints_to_look_into([model], corpus), look_of(model, corpus, data)
    mark = fingerprint(Stage.REPORTS, parents, {**resolved, **mark_of(prints, look)}, ROOMS)
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
        seen = seen_by_bases(prints, look, corpus_folder, settings.split)
        findings = find_out(model_folder / MODEL_FOLDER, corpus_folder, settings, other, seen)
        origin = Origin(model, corpus, settings, read_losses(model_folder), other, seen)
        write_report(stage_run.folder, findings, origin)
        return stage_run.finish(counts=findings.counts._asdict(), seeds={"evaluate": settings.seed})


def compare(settings: EvaluateSettings, data: Path, names: Sequence[str]) -> Manifest:
    """Measure several finished models on the split of the first one's corpus; return at once if this was done before.

    Raises:
        BadSetting: fewer than two models are named, or one twice, or the split is one that models learn from.
        MissingStage: one is not there, has learnt from the split or may have, or an agreement has ended.
        EmptyCorpus: the split holds nothing to measure on.
    """
    from psyllm.evaluate.learnt_from import check_unseen, refuse_learnt_split
    from psyllm.evaluate.seen_before import mark_of, prints_to_look_into, seen_before

    refuse_learnt_split(settings.split)
    if len(names) < FEWEST_COMPARED or len(set(names)) < len(names):
        message = f"{len(set(names))} different models are named, and a comparison is of two or more"
        here = shlex.quote(str(data))
        raise BadSetting(
            message,
            f"name runs of {stage_folder(data, Stage.MODELS)}: psyllm evaluate compare RUN RUN --data {here}",
        )
    models = [_finished(name, data) for name in names]
    for model in models:
        _refuse_ended(model, data)
    corpus_folder, corpus = _corpus_of(models[0], data)
    parents = (*(model.as_parent() for model in models), corpus.as_parent())
    resolved = settings.model_dump(mode="json")
    prints = prints_to_look_into(models, corpus)
    mark = fingerprint(
        Stage.REPORTS, parents, {**resolved, **mark_of(prints), "compared": list(names)}, ROOMS
    )
    name = f"comparison-{mark[:12]}"
    done = up_to_date(data, Stage.REPORTS, name, take_into_use=False)
    if done is not None:
        return done

    from psyllm.evaluate.comparison_page import Compared, write_comparison
    from psyllm.evaluate.losses import read_losses
    from psyllm.evaluate.side_by_side import stand

    unchecked = check_unseen(models, corpus, settings.split, data)
    folders = {model.run: stage_folder(data, Stage.MODELS) / model.run for model in models}
    with writing(StageRun(data, Stage.REPORTS, name, mark, parents, resolved)) as stage_run:
        seen = seen_before(prints, corpus_folder, settings.split)._replace(unchecked=unchecked)
        found = stand(
            {run: folder / MODEL_FOLDER for run, folder in folders.items()}, corpus_folder, settings, seen
        )
        curves = {run: read_losses(folder) for run, folder in folders.items()}
        write_comparison(stage_run.folder, found, Compared(models, corpus, settings, curves, seen))
        counts = {"models": len(models), **found.counts._asdict()}
        return stage_run.finish(counts=counts, seeds={"evaluate": settings.seed}, take_into_use=False)


def _finished(name: str, data: Path) -> Manifest:
    """Return a finished run of training by its name."""
    stage = stage_folder(data, Stage.MODELS)
    found = {manifest.run: manifest for manifest in complete_runs(data, Stage.MODELS)}
    if name not in found:
        message = f"{stage} has no finished run {name}; finished: {', '.join(found) or 'none'}"
        raise MissingStage(message, f"name one of these, or run: {command_for(Stage.MODELS, data)}")
    return found[name]


def _refuse_ended(model: Manifest, data: Path) -> None:
    again = f"train one without it: psyllm corpus --data {data}, then psyllm train --data {data}"
    refuse_ended(permit_of_model(model), f"model {model.run}", again, dt.datetime.now(dt.UTC).date())


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
