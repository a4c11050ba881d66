"""What a training is about to do: begin anew, go on where it broke off, start from a model, take more steps.

    anew       a new run                                                      psyllm train
    resumed    an unfinished run goes on as if nothing had happened           psyllm train resume
    continued  a new run from a finished model: new optimiser, new schedule   psyllm train continue
    longer     a finished run's last stage goes on, as if planned longer      psyllm train more

In: settings or a run's name, and the data folder. Out: an `Undertaking` that
says in one sentence what it will do, or a refusal that names the command that
is meant. Nothing here trains, and nothing is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from psyllm.core.begun_models import BEGAN, read_began
from psyllm.core.errors import BadCheckpoint, BadSetting, MissingStage
from psyllm.core.permits import BASE
from psyllm.core.stages import (
    Manifest,
    Parent,
    Stage,
    StageRun,
    current_run,
    fingerprint,
    need_current,
    read_manifest,
    stage_folder,
)
from psyllm.core.train_settings import STAGES_OF_WORDS, TrainingStage, TrainSettings
from psyllm.train import saved
from psyllm.train.ancestry import MODEL, base_parent, corpus_of, earlier_run, inherited
from psyllm.train.history import should_stop
from psyllm.train.schedule import first_falling_step, planned_steps, rate_share

RESULT = "result.json"
ROOMS = ("train", "lm")
# Settings that change no byte of a model, so that a run interrupted for want of them goes on with others.
CHANGES_NOTHING = frozenset({"keep_checkpoints", "trackers", "wait_s"})


class Undertaking(NamedTuple):
    """A training that can begin; `earlier` is the finished run whose last stage goes on."""

    says: str
    settings: TrainSettings
    corpus: Path
    inherited: dict[str, Any]
    stage_run: StageRun
    earlier: Path | None = None
    changed_code: bool = False


def anew(settings: TrainSettings, data: Path) -> Undertaking:
    """Return a new run on the corpus in use.

    Raises:
        MissingStage: there is no corpus yet, or an agreement that it or the base rests on has ended.
        MissingFile: the base is not there.
    """
    corpus, manifest = need_current(data, Stage.CORPUS)
    parents = (manifest.as_parent(), *base_parent(settings.base))
    of_base = inherited(settings.base, manifest)
    resolved = settings.model_dump(mode="json")
    mark = _mark(parents, resolved)
    stage_run = StageRun(data, Stage.MODELS, _name(mark), mark, parents, resolved)
    start = "nothing" if settings.base is None else f"the base {settings.base}"
    return Undertaking(
        f"a new run {stage_run.name} from {start}, on corpus {manifest.run}",
        settings,
        corpus,
        of_base,
        stage_run,
    )


def continued(settings: TrainSettings, data: Path, name: str | None) -> Undertaking:
    """Return a new run that starts from a finished model, the one in use unless named.

    Raises:
        MissingStage: there is no such finished run.
        BadSetting: nothing would be new, so more steps are meant.
    """
    folder, manifest = _finished(data, name)
    same_words = need_current(data, Stage.CORPUS)[1].content_hash in {
        parent.content_hash for parent in manifest.parents
    }
    asked = settings.model_dump(mode="json") | {"base": manifest.settings.get("base")}
    if same_words and asked == manifest.settings:
        message = f"{folder.name} has learnt this corpus with these settings already"
        raise BadSetting(message, f"for more steps of the same: psyllm train more {folder.name} --steps N")
    undertaking = anew(settings.model_copy(update={"base": folder / MODEL}), data)
    corpus = undertaking.corpus.name
    return undertaking._replace(
        says=f"continue: a new run {undertaking.stage_run.name} starts from the weights of {folder.name}, with a new "
        f"optimiser and a new schedule, on {'the same corpus' if same_words else 'another corpus,'} {corpus}"
    )


def resumed(data: Path, name: str | None, *, changed_code: bool = False) -> Undertaking:
    """Return an unfinished run, the newest unless named, as it was begun.

    Raises:
        MissingStage: there is none, or what it learns from is no longer there as it was.
        BadSetting: the code has changed since, so its bits would differ.
    """
    folder = _unfinished(data, name)
    began = read_began(folder)
    settings = _settings(began["settings"], folder.name)
    parents = tuple(Parent.model_validate(parent) for parent in began["parents"])
    corpus, manifest = corpus_of(parents, data, "begin anew: psyllm train")
    if base_parent(settings.base) != tuple(_bases(parents, began["earlier"])):
        message = f"the base {settings.base} is not the one that {folder.name} began with"
        raise BadCheckpoint(message, "put it back, or begin anew: psyllm train")
    mark = _mark(parents, began["settings"])
    if mark != began["fingerprint"] and not changed_code:
        message = f"the code of training has changed since {folder.name} began, so it would not end in the same bits"
        raise BadSetting(
            message,
            f"go on all the same: psyllm train resume {folder.name} --changed-code; or anew: psyllm train",
        )
    earlier = earlier_run(data, began["earlier"], parents)
    base = earlier / MODEL if earlier is not None else settings.base
    return Undertaking(
        f"resume: {folder.name} goes on {_where(folder, settings)}, as if it had not been interrupted",
        settings,
        corpus,
        inherited(base, manifest),
        StageRun(data, Stage.MODELS, folder.name, began["fingerprint"], parents, began["settings"]),
        earlier,
        changed_code=mark != began["fingerprint"],
    )


def longer(
    data: Path, name: str | None, *, steps: int = 0, epochs: float = 0, patience: int | None = None
) -> Undertaking:
    """Return a run that goes on with a finished run's last stage: its optimiser's state, its order, a longer plan.

    Raises:
        MissingStage: there is no such finished run, or its corpus is no longer there.
        BadSetting: nothing to go on from was kept, or the run had stopped because its dev loss no longer fell.
    """
    folder, manifest = _finished(data, name)
    settings = _settings(manifest.settings, folder.name)
    stage_name = list(manifest.details["stages"])[-1]
    kept = saved.kept_steps(folder / stage_name) if stage_name in STAGES_OF_WORDS else []
    instead = f"start from its weights with a new optimiser instead: psyllm train continue {folder.name}"
    if not kept:
        message = f"{folder.name} kept no checkpoint of the stage {stage_name} to go on from"
        raise BadSetting(message, f"{instead}; train.keep_last keeps one")
    corpus, corpus_manifest = corpus_of(
        manifest.parents, data, f"on the corpus in use: psyllm train continue {folder.name}"
    )
    stage: TrainingStage = getattr(settings, stage_name)
    result = manifest.details["stages"][stage_name]
    more = _longer_stage(stage, result, steps, epochs, patience)
    planned = stage.model_copy(update={"steps": result["planned_steps"]})
    if should_stop(saved.history(folder / stage_name / saved.LAST, kept[-1]), more.patience):
        message = (
            f"at step {kept[-1]} the dev loss of {folder.name} had not fallen for {more.patience} evaluations"
        )
        raise BadSetting(message, f"be more patient: --patience {more.patience * 2}; or {instead}")
    longer_settings = settings.model_copy(update={stage_name: more})
    first_base = base_parent(settings.base)
    if not set(first_base) <= set(manifest.parents):
        message = f"the base {settings.base} is not the one that {folder.name} was trained from"
        raise BadCheckpoint(message, f"put it back, or {instead}")
    this = Parent(stage=BASE, run=folder.name, content_hash=manifest.content_hash)
    parents = (corpus_manifest.as_parent(), *first_base, this)
    resolved = longer_settings.model_dump(mode="json")
    mark = _mark(parents, resolved)
    return Undertaking(
        f"more: {stage_name} of {folder.name} goes on from step {kept[-1]} to {more.steps} in a new run {_name(mark)}, "
        f"with its optimiser's state and order; {_rate_sentence(planned, more, kept[-1])}",
        longer_settings,
        corpus,
        inherited(folder / MODEL, corpus_manifest),
        StageRun(data, Stage.MODELS, _name(mark), mark, parents, resolved),
        folder,
    )


def _mark(parents: tuple[Parent, ...], resolved: dict[str, Any]) -> str:
    made_of = {name: value for name, value in resolved.items() if name not in CHANGES_NOTHING}
    return fingerprint(Stage.MODELS, parents, made_of, rooms=ROOMS)


def _name(mark: str) -> str:
    return f"model-{mark[:12]}"


def _finished(data: Path, name: str | None) -> tuple[Path, Manifest]:
    if name is None:
        current = current_run(data, Stage.MODELS)
        name = "" if current is None else current.name
    folder = stage_folder(data, Stage.MODELS) / name
    manifest = read_manifest(folder) if name else None
    if manifest is not None:
        return folder, manifest
    waiting = [path.name for path in _all_unfinished(data)]
    if name in waiting or (not name and waiting):
        message = f"{name or waiting[-1]} is not finished yet"
        raise MissingStage(message, f"let it end first: psyllm train resume {name or waiting[-1]}")
    message = f"there is no finished run {name} in {stage_folder(data, Stage.MODELS)}".replace(
        "run  in", "run in"
    )
    raise MissingStage(message, "run: psyllm train")


def _unfinished(data: Path, name: str | None) -> Path:
    waiting = _all_unfinished(data)
    found = waiting[-1] if waiting and name is None else None
    found = next((path for path in waiting if path.name == name), found)
    if found is not None:
        return found
    folder = stage_folder(data, Stage.MODELS)
    finished = name or getattr(current_run(data, Stage.MODELS), "name", "")
    if finished and read_manifest(folder / finished) is not None:
        message = f"{finished} is finished: there is nothing to resume"
        raise MissingStage(
            message,
            f"for more steps of the same: psyllm train more {finished} --steps N; for new words or settings: "
            f"psyllm train continue {finished}",
        )
    message = f"there is no unfinished run{f' {name}' if name else ''} in {folder}"
    raise MissingStage(message, "run: psyllm train")


def _all_unfinished(data: Path) -> list[Path]:
    """Return the runs that broke off and know how they began, the newest last."""
    found = stage_folder(data, Stage.MODELS).glob(f"*/{BEGAN}")
    waiting = [
        path for path in found if read_manifest(path.parent) is None and "settings" in read_began(path.parent)
    ]
    return [path.parent for path in sorted(waiting, key=lambda path: path.stat().st_mtime_ns)]


def _settings(said: dict[str, Any], run: str) -> TrainSettings:
    try:
        return TrainSettings.model_validate(said)
    except ValidationError as error:
        message = f"the settings of {run} are another version's"
        raise BadSetting(message, f"start from its weights instead: psyllm train continue {run}") from error


def _bases(parents: tuple[Parent, ...], earlier: str) -> list[Parent]:
    return [parent for parent in parents if parent.stage == BASE and parent.run != earlier]


def _where(folder: Path, settings: TrainSettings) -> str:
    for name in STAGES_OF_WORDS:
        stage: TrainingStage = getattr(settings, name)
        if not stage.steps or (folder / name / RESULT).is_file():
            continue
        steps = saved.whole_steps(folder / name)
        return f"with {name} after step {steps[-1]}" if steps else f"at the beginning of {name}"
    return "with its last files"


def _longer_stage(
    stage: TrainingStage, result: dict[str, Any], steps: int, epochs: float, patience: int | None
) -> TrainingStage:
    if bool(steps) == bool(epochs):
        raise BadSetting("how much more is not said, or twice", "write --steps N or --epochs N")
    by_epochs = stage.model_copy(update={"epochs": epochs, "steps": 1})
    added = steps or planned_steps(by_epochs, result["rows"])
    more = {"steps": result["steps"] + added, "epochs": 0.0}
    return stage.model_copy(update=more if patience is None else {**more, "patience": patience})


def _rate_sentence(planned: TrainingStage, more: TrainingStage, done: int) -> str:
    ended = planned.learning_rate * rate_share(planned, max(done - 1, 0))
    goes_on = more.learning_rate * rate_share(more, done)
    falls = max(first_falling_step(more), done)
    last = more.learning_rate * rate_share(more, more.steps - 1)
    return f"the rate ended at {ended:.2g}, goes on at {goes_on:.2g}, falls from step {falls} and ends at {last:.2g}"
