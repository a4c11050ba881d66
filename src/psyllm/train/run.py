"""The door of training: `3_corpus/current` → `4_models/<run>/`.

Leaves `model/` (weights, tokenizer, card), `adapt/model/` (the first stage's
result), `metrics.jsonl` and a manifest. An interrupted run goes on from its
last whole checkpoint, with the number of threads and the precision that it
began with (`began.json`), and ends in the same bytes. Nothing here measures
the model on the test split.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyllm.core.errors import EmptyCorpus, MissingFile
from psyllm.core.permits import BASE, permit_of_base, read_permit, refuse_ended, together
from psyllm.core.progress import track
from psyllm.core.stages import (
    Manifest,
    Parent,
    Stage,
    StageRun,
    file_hash,
    fingerprint,
    need_current,
    up_to_date,
    write_text_atomically,
)
from psyllm.core.train_settings import TrainSettings
from psyllm.train.processes import Sharing, Team, joined
from psyllm.train.stopping import STOP_FILE, Stop

if TYPE_CHECKING:
    from psyllm.train.stages import Work

BEGAN = "began.json"
BASE_SUFFIXES = frozenset({".json", ".safetensors", ".bin", ".model", ".txt"})


def run(settings: TrainSettings, data: Path) -> Manifest:
    """Train on the corpus in use; return at once if this very run is complete.

    Raises:
        MissingStage: there is no corpus yet, or an agreement that it or the base rests on has ended.
        EmptyCorpus: nothing in it may be trained on.
        BadCheckpoint: the base can't be used.
        BadSetting: settings that contradict each other.
    """
    with joined(settings.processes, settings.wait_s) as team:
        return _run(settings, data, team)


def _run(settings: TrainSettings, data: Path, team: Team) -> Manifest:
    corpus, parent = need_current(data, Stage.CORPUS)
    parents = (parent.as_parent(), *_base(settings))
    inherited = _inherited(settings, parent)
    resolved = settings.model_dump(mode="json")
    mark = fingerprint(Stage.MODELS, parents, resolved, rooms=["train", "lm"])
    name = f"model-{mark[:12]}"
    team.need_same("corpus, settings or code", mark)
    done = team.tell(lambda: up_to_date(data, Stage.MODELS, name))
    if done is not None:
        return done
    stage_run = StageRun(data, Stage.MODELS, name, mark, parents, resolved)
    with team.writing(stage_run) as writer:
        return _train(settings, corpus, inherited, writer, team)


def _train(
    settings: TrainSettings, corpus: Path, inherited: dict[str, Any], writer: StageRun, team: Team
) -> Manifest:
    # late: torch and transformers take seconds to import, and a run that is up to date needs neither
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads halve the speed on a busy machine
    from psyllm.train.machine import on_threads
    from psyllm.train.material import read_material
    from psyllm.train.parts import check_parts
    from psyllm.train.stages import Work, check_settings, run_stages

    check_settings(settings)
    check_parts([("adapt", settings.adapt), ("answer", settings.answer)], settings.processes, team.count)
    train, dev = read_material(corpus, "train"), read_material(corpus, "dev")
    if not train.records:
        message = f"{corpus} holds no training record that may be trained on"
        raise EmptyCorpus(
            message,
            "import a source whose licence allows training, then run: psyllm clean; psyllm corpus; psyllm train",
        )
    began = team.tell(lambda: _began(settings, writer.folder, team.on_this_machine))
    lineage = {
        "run": writer.name,
        "parents": [parent.model_dump() for parent in writer.parents],
        "seed": settings.seed,
        "base": settings.base.name if settings.base is not None else "",
        **inherited,
    }
    stop = Stop(writer.folder.parent / STOP_FILE if team.is_first else None)
    stop.forget()
    sharing = Sharing(team, settings.processes, stop)
    work = Work(writer.folder, settings, train, dev, began["precision"], lineage, sharing=sharing)
    with on_threads(began["threads"]):
        run_stages(work)
    return team.tell(lambda: _finish(work, writer, began, inherited))


def _finish(work: Work, writer: StageRun, began: dict[str, Any], inherited: dict[str, Any]) -> Manifest:
    train, dev = work.train, work.dev
    return writer.finish(
        counts={
            "train_records": train.records,
            "dev_records": dev.records,
            **{f"{stage}_steps": result["steps"] for stage, result in work.results.items()},
            **{f"{stage}_rows": result["rows"] for stage, result in work.results.items()},
        },
        drops={"may_not_train": train.refused + dev.refused},
        seeds={"train": work.settings.seed},
        details={
            **began,
            "processes": work.sharing.team.count,
            "lineage": inherited,
            "processor": _processor(),
            "cores": os.cpu_count() or 1,
            "weights": work.weights,
            "stages": work.results,
        },
    )


def _base(settings: TrainSettings) -> tuple[Parent, ...]:
    """Name the base checkpoint by the content of its files."""
    if settings.base is None:
        return ()
    if not settings.base.is_dir():
        message = f"the base checkpoint {settings.base} does not exist"
        raise MissingFile(message, "name a local checkpoint folder: --set train.base=FOLDER")
    files = sorted(path for path in settings.base.iterdir() if path.suffix in BASE_SUFFIXES)
    listing = "\n".join(f"{path.name} {file_hash(path)}" for path in track(files, "reading the base"))
    content_hash = hashlib.sha256(listing.encode()).hexdigest()
    return (Parent(stage=BASE, run=settings.base.name, content_hash=content_hash),)


def _inherited(settings: TrainSettings, corpus: Manifest) -> dict[str, Any]:
    """Return the one permit of corpus and base, and what the base says of itself: none where it says nothing.

    A base's own terms and the texts that it has seen bind this model as well; who asks later
    (`psyllm corpus leak-check --model`) must be able to tell "nothing" from "unknown".
    What has ended is refused, also where the model was made before it ended.
    """
    today = dt.datetime.now(dt.UTC).date()
    permit = read_permit(corpus.details.get("permit"), f"corpus {corpus.run}")
    refuse_ended(permit, corpus.run, "make a corpus without it: psyllm corpus", today)
    if settings.base is None:
        return {"permit": permit._asdict(), "base_lineage": None}
    # late: what reads a card knows tokenizers, and most runs have no base
    from psyllm.lm.model_card import read_card

    card = read_card(settings.base)
    lineage = None if card is None else card.lineage
    of_base = permit_of_base(lineage, settings.base.name)
    refuse_ended(of_base, f"the base {settings.base}", "take another base: --set train.base=FOLDER", today)
    return {"permit": together([permit, of_base])._asdict(), "base_lineage": lineage}


def _began(settings: TrainSettings, folder: Path, on_this_machine: int) -> dict[str, Any]:
    """Return threads and precision, those of the interrupted run if there is one."""
    path = folder / BEGAN
    if path.is_file():
        began: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return began
    threads = settings.threads or max(1, (os.cpu_count() or 1) // on_this_machine)
    began = {"threads": threads, "precision": _precision(settings)}
    write_text_atomically(path, json.dumps(began))
    return began


def _precision(settings: TrainSettings) -> str:
    if settings.precision != "auto":
        return settings.precision
    import torch

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if "avx512_bf16" in _cpu_lines().get("flags", "") else "fp32"


def _processor() -> str:
    return _cpu_lines().get("model name", platform.machine())


def _cpu_lines() -> dict[str, str]:
    """Return what Linux says about the first core."""
    path = Path("/proc/cpuinfo")
    text = path.read_text("utf-8").partition("\n\n")[0] if path.is_file() else ""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
