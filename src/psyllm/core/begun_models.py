"""Trainings that have not ended: what they would say of their parents and settings.

A data folder comes in, manifests go out, made of what each training wrote when it
began. Whoever takes words out of a corpus needs them: such a model has read the words, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from psyllm.core.records import readable
from psyllm.core.stages import Manifest, Stage, complete_runs, read_manifest, stage_folder

_OBJECT = TypeAdapter(dict[str, Any])
BEGAN = "began.json"  # what a training says of itself before it ends


def read_began(folder: Path) -> dict[str, Any]:
    """Return what a training wrote when it began.

    Raises:
        MalformedInput: it is damaged.
    """
    path = folder / BEGAN
    with readable(path):
        return _OBJECT.validate_json(path.read_bytes())


def begun_models(data: Path) -> list[Manifest]:
    """Return what the trainings that have not ended would say of their parents and settings.

    Raises:
        MalformedInput: what one of them wrote when it began is damaged.
    """
    found = []
    for path in sorted(stage_folder(data, Stage.MODELS).glob(f"*/{BEGAN}")):
        if read_manifest(path.parent) is None:
            said = read_began(path.parent)
            with readable(path):
                named = {name: said[name] for name in ("fingerprint", "parents", "settings") if name in said}
                about = {"stage": Stage.MODELS.value, "run": path.parent.name, "fingerprint": ""}
                found.append(Manifest.model_validate({**about, **named}))
    return found


def need_readable_runs(data: Path) -> None:
    """Read what every run says of itself, before anything is changed that would need it half-way.

    Reports are left out: one that can't say what it was made from goes with what it may hold.

    Raises:
        MalformedInput: a run's manifest, or what a training wrote when it began, is damaged.
    """
    for stage in Stage:
        if stage is not Stage.REPORTS:
            complete_runs(data, stage)
    begun_models(data)
