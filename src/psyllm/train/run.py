"""The door of training: `3_corpus/current` → `4_models/<run>/`.

Leaves `model/` (weights, tokenizer, card), `adapt/model/` (the first stage's
result), with `prefer` also `answer/model/` (what ratings then changed),
`metrics.jsonl` and a manifest. An interrupted run goes on from its last whole checkpoint, with
the number of threads and the precision that it began with (`began.json`, see
`began`), and ends in the same bytes. One whose words were taken back meanwhile is deleted.
Of several processes the first one alone writes. Nothing here measures the model on the test split.
"""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyllm.core.errors import EmptyCorpus, MissingStage
from psyllm.core.stages import Manifest, Stage, StageRun, read_manifest, up_to_date
from psyllm.core.train_settings import TrainSettings
from psyllm.train.ancestry import MODEL, base_name, words_held
from psyllm.train.began import began
from psyllm.train.processes import Sharing, Team, joined
from psyllm.train.stopping import STOP_FILE, Stop
from psyllm.train.undertaking import Undertaking, anew

if TYPE_CHECKING:
    from psyllm.train.stages import Work


def run(settings: TrainSettings, data: Path) -> Manifest:
    """Train on the corpus in use; return at once if this very run is complete.

    Raises:
        MissingStage: there is no corpus yet, an agreement that it or the base rests on has ended, or words of it
            were taken back while the training ran, which is then deleted.
        StageBusy: another training runs, or the corpus is being written when this one ends.
        EmptyCorpus: nothing in it may be trained on, or too few answers are rated.
        BadCheckpoint: the base can't be used.
        BadSetting: settings that contradict each other, or that the card can't do.
        MemoryFull: a step does not fit; names the settings to change.
        LossNotFinite: a loss or a gradient is no number.
        WorkerLost: another process of this training ended or does not answer.
    """
    with joined(settings.processes, settings.wait_s) as team:
        return _undertake(anew(settings, data), data, team)


def undertake(undertaking: Undertaking, data: Path) -> Manifest:
    """Do what an undertaking says; return at once if its run is complete. Raises as `run` does."""
    settings = undertaking.settings
    with joined(settings.processes, settings.wait_s) as team:
        return _undertake(undertaking, data, team)


def _undertake(undertaking: Undertaking, data: Path, team: Team) -> Manifest:
    stage_run = undertaking.stage_run
    code = " changed" if undertaking.changed_code else ""
    team.need_same("corpus, settings or code", f"{stage_run.name} {stage_run.fingerprint}{code}")
    done = team.tell(lambda: up_to_date(data, Stage.MODELS, stage_run.name))
    if done is not None:
        return done
    with team.writing(stage_run) as writer:
        return _train(undertaking, writer, team)


def _train(undertaking: Undertaking, writer: StageRun, team: Team) -> Manifest:
    # late: torch and transformers take seconds to import, and a run that is up to date needs neither
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads halve the speed on a busy machine
    from psyllm.train.machine import on_threads
    from psyllm.train.material import read_material
    from psyllm.train.parts import check_sharing
    from psyllm.train.peak import machine_facts
    from psyllm.train.prefer_material import read_ratings
    from psyllm.train.recording import recorded
    from psyllm.train.stages import Work, check_material, check_settings, run_stages

    settings, corpus = undertaking.settings, undertaking.corpus
    check_settings(settings)
    check_sharing(settings, team.count)
    kept = team.tell(lambda: began(undertaking, writer, team.on_this_machine))
    ratings = read_ratings(corpus, settings.prefer) if settings.prefer.steps else None
    train, dev = read_material(corpus, "train"), read_material(corpus, "dev")
    if not train.records:
        message = f"{corpus} holds no training record that may be trained on"
        raise EmptyCorpus(
            message,
            "import a source whose licence allows training, then run: psyllm clean; psyllm corpus; psyllm train",
        )
    check_material(settings, train, dev)
    lineage = _lineage(undertaking)
    stop = Stop(writer.folder.parent / STOP_FILE if team.is_first else None)
    stop.forget()
    work = Work(
        writer.folder,
        settings,
        train,
        dev,
        kept["precision"],
        lineage,
        ratings=ratings,
        corpus_hash=writer.parents[0].content_hash,
        earlier=undertaking.earlier,
        sharing=Sharing(team, settings.processes, stop),
    )
    machine = {"threads": kept["threads"], "precision": kept["precision"], **machine_facts()}
    with (
        on_threads(kept["threads"]),
        recorded(writer, settings.trackers, machine, lineage, writes=team.is_first),
    ):
        run_stages(work)
    return team.tell(lambda: _finish(undertaking, writer, work, kept))


def _finish(undertaking: Undertaking, writer: StageRun, work: Work, kept: dict[str, Any]) -> Manifest:
    try:
        return _finish_while_words_are_held(undertaking, writer, work, kept)
    except MissingStage as error:
        if read_manifest(undertaking.corpus) is None:  # somebody has moved it, and may put it back
            raise
        # what it has learnt is no longer in the corpus, so nothing could ever be done with it
        shutil.rmtree(writer.folder)
        raise MissingStage(
            error.message, "train anew, without them: psyllm train; what it had learnt is deleted"
        ) from error


def _finish_while_words_are_held(
    undertaking: Undertaking, writer: StageRun, work: Work, kept: dict[str, Any]
) -> Manifest:
    from psyllm.train.peak import machine_facts
    from psyllm.train.precision import processor_facts

    # the other processes wait for this one no longer than wait_s
    with words_held(writer, work.settings.wait_s / 2):
        return writer.finish(
            counts={
                "train_records": work.train.records,
                "dev_records": work.dev.records,
                **{f"{stage}_steps": result["steps"] for stage, result in work.results.items()},
                **{f"{stage}_rows": result["rows"] for stage, result in work.results.items()},
            },
            drops={"may_not_train": work.train.refused + work.dev.refused},
            seeds={"train": work.settings.seed},
            details={
                "threads": kept["threads"],
                "precision": kept["precision"],
                "processes": work.sharing.team.count,
                "changed_code": undertaking.changed_code,
                "lineage": undertaking.inherited,
                "processor": processor_facts().get("model name", platform.machine()),
                "cores": os.cpu_count() or 1,
                **machine_facts(),
                "weights": work.weights,
                "stages": work.results,
            },
        )


def _lineage(undertaking: Undertaking) -> dict[str, Any]:
    """Return what the model's card says of where it comes from.

    `way` is how it began: from `nothing`; from a `base` with a new optimiser and schedule; or as `more`
    steps of an earlier run, whose optimiser's state it went on with.
    """
    base, earlier, adapter = undertaking.settings.base, undertaking.earlier, undertaking.settings.adapter
    of = base if earlier is None else earlier / MODEL
    return {
        "run": undertaking.stage_run.name,
        "parents": [parent.model_dump() for parent in undertaking.stage_run.parents],
        "seed": undertaking.settings.seed,
        "base": "" if of is None else base_name(of),
        **({} if adapter.method == "full" else {"adapter": adapter.model_dump(mode="json")}),
        "way": "more" if earlier is not None else "nothing" if base is None else "base",
        **undertaking.inherited,
    }
