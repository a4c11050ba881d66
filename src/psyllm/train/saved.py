"""The checkpoints of a stage that runs: which are whole, which is best, which may go.

transformers writes `checkpoint-<step>/` file by file, so a process that dies
while it writes leaves a torn one. A checkpoint counts only once `whole.json`
stands in it, written last and atomically, with the size of every file. In: a
stage's folder. Out: steps and folders. Nothing here loads a tensor.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from psyllm.core.stages import write_text_atomically

WHOLE = "whole.json"
STATE = "trainer_state.json"
PREFIX = "checkpoint-"


def mark_whole(folder: Path) -> None:
    """Say that every file of a checkpoint is written; the files are on the disk before the mark is."""
    sizes = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            sizes[path.name] = os.fstat(file.fileno()).st_size
    write_text_atomically(folder / WHOLE, json.dumps(sizes, indent=1))


def is_whole(folder: Path) -> bool:
    """Return whether a checkpoint is marked and all of its files have their size."""
    try:
        sizes: dict[str, int] = json.loads((folder / WHOLE).read_text("utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def folder_of(stage: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies."""
    return stage / f"{PREFIX}{step}"


def whole_steps(stage: Path) -> list[int]:
    """Return the steps with a whole checkpoint, lowest first."""
    found = stage.glob(f"{PREFIX}*")
    return sorted(int(path.name.removeprefix(PREFIX)) for path in found if is_whole(path))


def drop_torn(stage: Path) -> None:
    """Delete what an interrupted process left half written."""
    for path in sorted(stage.glob(f"{PREFIX}*")):
        if not is_whole(path):
            shutil.rmtree(path)


def drop_old(stage: Path, *, keep: int, best: int | None) -> None:
    """Keep the newest checkpoints and the best one."""
    steps = whole_steps(stage)
    for step in steps[:-keep]:
        if step != best:
            shutil.rmtree(folder_of(stage, step))


def drop_all(stage: Path) -> None:
    """Delete every checkpoint, once the stage's result is safe."""
    for path in sorted(stage.glob(f"{PREFIX}*")):
        shutil.rmtree(path)


def history(stage: Path, step: int) -> list[dict[str, Any]]:
    """Return what was logged until a step."""
    state = json.loads((folder_of(stage, step) / STATE).read_text("utf-8"))
    logged: list[dict[str, Any]] = state["log_history"]
    return logged


def need_room(folder: Path, wanted_bytes: int) -> None:
    """Refuse to go on when a checkpoint would not fit.

    Raises:
        OSError: ENOSPC and its kin, before anything of the checkpoint is written.
    """
    with tempfile.TemporaryFile(dir=folder) as trial:
        os.posix_fallocate(trial.fileno(), 0, wanted_bytes)
