"""Which of the six folders is complete, missing or made from something older."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

from psyllm.core.permits import BASE, permit_of_model, read_permit
from psyllm.core.stages import (
    STAGES_WITH_ALL_RUNS_IN_USE,
    Manifest,
    Stage,
    command_for,
    complete_runs,
    current_run,
    read_manifest,
)

MADE_FROM: dict[Stage, tuple[Stage, ...]] = {
    Stage.COLLECTED: (),
    Stage.CLEANED: (Stage.COLLECTED, Stage.FEEDBACK),
    Stage.CORPUS: (Stage.CLEANED,),
    Stage.MODELS: (Stage.CORPUS,),
    Stage.REPORTS: (Stage.MODELS,),
    Stage.FEEDBACK: (),
}


SOON_DAYS = 30


class Folder(NamedTuple):
    """One of the six folders; `state` is missing, complete or stale."""

    stage: str
    state: str
    runs: list[str]
    counts: dict[str, int]
    reason: str
    next_step: str


def ends_of_terms(data: Path, today: dt.date) -> dict[str, str]:
    """Return by stage a sentence for the corpus and the model in use, where their terms have ended or end soon."""
    said: dict[str, str] = {}
    for manifest in _in_use(data, Stage.CORPUS):
        ends = read_permit(manifest.details.get("permit"), manifest.run).expires
        said[manifest.stage] = _end(manifest.run, ends, "psyllm corpus", today)
    for manifest in _in_use(data, Stage.MODELS):
        is_based = any(parent.stage == BASE for parent in manifest.parents)
        again = "psyllm corpus, then psyllm train" + (", perhaps on another base" if is_based else "")
        said[manifest.stage] = _end(manifest.run, permit_of_model(manifest).expires, again, today)
    return {stage: sentence for stage, sentence in said.items() if sentence}


def _end(run: str, ends: str, again: str, today: dt.date) -> str:
    left = (dt.date.fromisoformat(ends) - today).days if ends else SOON_DAYS + 1
    if left < 0:
        return f"{run}: an agreement ended on {ends}; do not use it any more, run: {again}"
    return f"{run}: an agreement ends on {ends}, in {left} days" if left <= SOON_DAYS else ""


def folders(data: Path) -> list[Folder]:
    """Return the state of all six folders in the order of the flow."""
    in_use = {stage: _in_use(data, stage) for stage in Stage}
    stale: set[Stage] = set()
    return [_folder(stage, in_use, stale, data) for stage in Stage]


def _in_use(data: Path, stage: Stage) -> list[Manifest]:
    if stage.value in STAGES_WITH_ALL_RUNS_IN_USE:
        return complete_runs(data, stage)
    folder = current_run(data, stage)
    manifest = read_manifest(folder) if folder is not None else None
    return [] if manifest is None else [manifest]


def _folder(stage: Stage, in_use: dict[Stage, list[Manifest]], stale: set[Stage], data: Path) -> Folder:
    manifests = in_use[stage]
    command = command_for(stage, data)
    if not manifests:
        # Feedback comes from people, so its absence is no fault to mend.
        next_step = "" if stage is Stage.FEEDBACK else command
        return Folder(stage.value, "missing", [], {}, "nothing here yet", next_step)
    counts: dict[str, int] = {}
    for manifest in manifests:
        for name, count in manifest.counts.items():
            counts[name] = counts.get(name, 0) + count
    reason = _why_stale(stage, manifests[-1], in_use, stale)
    if reason:
        stale.add(stage)
    state = "stale" if reason else "complete"
    runs = [manifest.run for manifest in manifests]
    return Folder(stage.value, state, runs, counts, reason, command if reason else "")


def _why_stale(
    stage: Stage, manifest: Manifest, in_use: dict[Stage, list[Manifest]], stale: set[Stage]
) -> str:
    for source in MADE_FROM[stage]:
        if source in stale:
            return f"{source.value} is stale"
        wanted = {parent.as_parent() for parent in in_use[source]}
        used = {parent for parent in manifest.parents if parent.stage == source.value}
        if wanted != used:
            return f"made from another {source.value}"
    return ""
