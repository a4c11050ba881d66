"""The folders of trainings as the desk shows them: which there are, how far, what each line of metrics says.

A data folder comes in; out come the API's models. Complete runs have a
manifest; of the others `events/run.json` tells what they are, and a lock whether
somebody makes them now. Only names, numbers and hashes are read, never a
record, and of paths only the last name. What a run is made of and comes from is
`training_origin.py`'s.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.errors import MalformedInput, NotFound
from psyllm.core.run_events import DESCRIPTION, METRICS, NOW, is_being_made
from psyllm.core.stages import CURRENT, EVENTS, Manifest, Stage, read_manifest, stage_folder
from psyllm.serve import training_schema as schema

MOST_BYTES_AT_ONCE = 256 * 1024
FIGURES = ("loss", "dev_loss", "learning_rate", "grad_norm")


class Found(NamedTuple):
    """One run's folder: its manifest if complete, else what it said of itself when it began."""

    folder: Path
    manifest: Manifest | None
    description: Mapping[str, Any]
    state: schema.TrainingState

    @property
    def settings(self) -> Mapping[str, Any]:
        """The resolved settings, empty where nobody knows them."""
        found = self.manifest.settings if self.manifest is not None else self.description.get("settings")
        return found if isinstance(found, Mapping) else {}


class SoFar(NamedTuple):
    """What the metrics of an unfinished run say of one stage."""

    name: str
    steps: int
    best_step: int | None
    dev_loss: float | None


def find_all(data: Path) -> list[schema.TrainingSummary]:
    """Return every training: running ones first, then the newest."""
    folder = stage_folder(data, Stage.MODELS)
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    current = _current(data)
    found = [summary(_found(path), current) for path in sorted(paths)]
    return sorted(found, key=lambda one: (one.state == "running", _when(one)), reverse=True)


def find(data: Path, name: str) -> Found:
    """Return one training.

    Raises:
        NotFound: there is none of this name.
    """
    folder = stage_folder(data, Stage.MODELS) / name
    if name.startswith(".") or not folder.is_dir():
        message = "there is no training of this name"
        raise NotFound(message, "go back to the list of trainings")
    return _found(folder)


def summary_of(data: Path, found: Found) -> schema.TrainingSummary:
    """Return the line of the list for a run."""
    return summary(found, _current(data))


def summary(found: Found, current: str) -> schema.TrainingSummary:
    """Return the line of the list for a run; `current` names the run in use."""
    manifest = found.manifest
    return schema.TrainingSummary(
        name=found.folder.name,
        state=found.state,
        in_use=found.folder.name == current,
        began_at=_moment(found.description.get("began_at")),
        finished_at=_moment(manifest.finished_at) if manifest is not None else None,
        weights=_whole(manifest.details.get("weights")) if manifest is not None else None,
        stages=_finished(found, manifest) if manifest is not None else _unfinished(found),
    )


def curve(found: Found, start: int) -> schema.TrainingCurve:
    """Return the whole lines of metrics from byte `start` on, so many as fit into one answer."""
    text, start, size = _part(found.folder / METRICS, start)
    text = text[: text.rfind(b"\n") + 1]
    lines = [line for raw in text.splitlines() if (line := _line(raw)) is not None]
    end = start + len(text)
    return schema.TrainingCurve(
        state=found.state,
        start=start,
        next=end,
        more=bool(text) and end < size,
        lines=lines,
        now=_now(found) if found.state == "running" else None,
    )


def _part(path: Path, start: int) -> tuple[bytes, int, int]:
    """Return what stands at a place of a file, the place, and the file's size; nothing of a file that is gone."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = start if start <= size else 0  # begun anew, from an earlier checkpoint
            file.seek(start)
            return file.read(MOST_BYTES_AT_ONCE), start, size
    except OSError:
        return b"", 0, 0


def _found(folder: Path) -> Found:
    description = read_object(folder / EVENTS / DESCRIPTION)
    try:
        manifest = read_manifest(folder)
    except (MalformedInput, OSError):
        return Found(folder, None, description, "unreadable")
    if manifest is not None:
        return Found(folder, manifest, description, "complete")
    return Found(folder, None, description, "running" if is_being_made(folder) else "interrupted")


def read_object(path: Path) -> Mapping[str, Any]:
    """Return a file's JSON object, an empty one where there is none or it is torn."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _finished(found: Found, manifest: Manifest) -> list[schema.TrainingStage]:
    stages = manifest.details.get("stages")
    return [
        schema.TrainingStage(
            name=name,
            steps=_whole(said.get("steps")) or 0,
            planned=_whole(said.get("planned_steps")) or _planned(found, name),
            best_step=_whole(said.get("best_step")),
            dev_loss=number(said.get("dev_loss")),
            tokens_seen=_whole(said.get("tokens_seen")),
            tokens_per_s=number(said.get("tokens_per_s")) or None,
        )
        for name, said in (stages.items() if isinstance(stages, Mapping) else ())
        if isinstance(said, Mapping)
    ]


def _unfinished(found: Found) -> list[schema.TrainingStage]:
    path = found.folder / METRICS
    try:
        state = path.stat()
        stages = _so_far(path, state.st_size, state.st_mtime_ns)
    except OSError:  # not in `_so_far`: what could not be read must not be remembered as empty
        return []
    return [
        schema.TrainingStage(
            **stage._asdict(), planned=_planned(found, stage.name), tokens_seen=None, tokens_per_s=None
        )
        for stage in stages
    ]


# The list is asked for every few seconds, and a long run's file has megabytes: read again only when it has changed.
@functools.lru_cache(maxsize=256)
def _so_far(path: Path, _size: int, _changed_ns: int) -> tuple[SoFar, ...]:
    lines = [line for raw in path.read_bytes().splitlines() if (line := _line(raw)) is not None]
    stages: dict[str, SoFar] = {}
    for line in lines:
        known = stages.get(line.stage, SoFar(line.stage, line.step, None, None))
        known = known._replace(steps=max(known.steps, line.step))
        if line.dev_loss is not None and (known.dev_loss is None or line.dev_loss < known.dev_loss):
            known = known._replace(best_step=line.step, dev_loss=line.dev_loss)
        stages[line.stage] = known
    return tuple(stages.values())


def _planned(found: Found, stage: str) -> int | None:
    """Return the steps that the settings name; what is counted in epochs has none before it is done."""
    said = found.settings.get(stage)
    if not isinstance(said, Mapping) or number(said.get("epochs")):
        return None
    return _whole(said.get("steps"))


def _now(found: Found) -> schema.TrainingNow | None:
    said = read_object(found.folder / EVENTS / NOW)
    given = said.get("figures")
    figures = given if isinstance(given, Mapping) else {}
    on_card = "card_bytes" in figures
    try:
        return schema.TrainingNow(
            task=str(said["task"]),
            stage=str(said["stage"]),
            doing=str(said["doing"]),
            done=int(said["done"]),
            total=_whole(said["total"]),
            left_s=number(figures.get("left_s")),
            tokens_per_s=number(figures.get("tokens_per_s")),
            share=number(figures.get("mfu" if on_card else "processor_share")),
            on_card=on_card,
            memory_bytes=number(figures.get("card_bytes" if on_card else "process_bytes")),
            at=said["at"],
        )
    except (KeyError, OverflowError, TypeError, ValueError):
        return None


def _line(raw: bytes) -> schema.TrainingLine | None:
    try:
        said = json.loads(raw)
        figures = {name: number(said.get(name)) for name in FIGURES}
        return schema.TrainingLine(stage=str(said["stage"]), step=int(said["step"]), **figures)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None


def _current(data: Path) -> str:
    try:
        return (stage_folder(data, Stage.MODELS) / CURRENT).read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def _when(one: schema.TrainingSummary) -> float:
    at = one.finished_at or one.began_at
    return 0.0 if at is None else at.timestamp()


def number(said: object) -> float | None:
    """Return a finite number, None for anything else."""
    if not isinstance(said, int | float) or isinstance(said, bool):
        return None
    try:
        found = float(said)
    except OverflowError:  # JSON knows whole numbers without end
        return None
    return found if math.isfinite(found) else None


def _moment(said: object) -> dt.datetime | None:
    """Return a moment that was written down, None for what is none."""
    try:
        found = dt.datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


def _whole(said: object) -> int | None:
    found = number(said)
    return None if found is None else int(found)
