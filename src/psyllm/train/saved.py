"""The checkpoints of a stage that runs: which are whole, which is best, which may go.

transformers writes `checkpoint-<step>/` file by file, so a process that dies
while it writes leaves a torn one. A checkpoint counts only once `whole.json`
stands in it, written last and atomically, with the size of every file. A
finished stage may keep its last checkpoint in `last/`, for `psyllm train more`;
`take_over` puts it where another run goes on from it. In: a stage's folder.
Out: steps and folders. Nothing here loads a tensor.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from psyllm.core.errors import DiskFull
from psyllm.core.stages import NO_SPACE, write_text_atomically

WHOLE = "whole.json"
STATE = "trainer_state.json"
PREFIX = "checkpoint-"
LAST = "last"
# transformers writes its arguments beside a checkpoint, which name this machine's folders, and how to generate,
# which another start of the same run may not have set yet; nothing reads them from here
UNREAD = ("training_args.bin", "generation_config.json")
# what a checkpoint of weights alone lacks
RESUMING = ("optimizer*", "schedule*", "scaler*", "rng_state*", "random_states*")


def mark_whole(folder: Path) -> None:
    """Say that every file of a checkpoint is written; the files are on the disk before the mark is."""
    sizes = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            sizes[path.name] = os.fstat(file.fileno()).st_size
    sizes.pop(WHOLE, None)
    _sync_folder(folder)
    write_text_atomically(folder / WHOLE, json.dumps(sizes, indent=1))
    _sync_folder(folder)
    _sync_folder(folder.parent)


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


def drop_half_written(run: Path) -> None:
    """Delete the files that an interrupted process was about to put in another's place, see `write_text_atomically`."""
    for path in run.rglob(".*.tmp"):
        path.unlink()


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


def keep_last(stage: Path, last: int, best: int) -> None:
    """Keep the last checkpoint whole in `last/`, and of the best one the weights; may be done twice."""
    kept = stage / LAST
    kept.mkdir(exist_ok=True)
    for step in {last, best}:
        folder = folder_of(kept, step)
        if not folder.exists():
            folder_of(stage, step).rename(folder)
        for pattern in (*UNREAD, *(() if step == last else RESUMING)):
            for path in folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        mark_whole(folder)


def kept_steps(stage: Path) -> list[int]:
    """Return the steps whose checkpoints a finished stage keeps; the highest can be gone on from."""
    return whole_steps(stage / LAST)


def take_over(earlier: Path, stage: Path) -> None:
    """Put the checkpoints that another run's stage keeps here, unless this stage has gone on from them already."""
    steps = kept_steps(earlier)
    stage.mkdir(parents=True, exist_ok=True)
    drop_torn(stage)
    if any(step >= steps[-1] for step in whole_steps(stage)):
        return
    for step in steps:  # the last one last: it alone tells that all are here
        folder = folder_of(stage, step)
        if not folder.exists():
            copy_tree(folder_of(earlier / LAST, step), folder)
            mark_whole(folder)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder; files that are never written again share their place on the disk where they can."""
    shutil.copytree(source, target, copy_function=_link_or_copy, dirs_exist_ok=True)


def _link_or_copy(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def history(stage: Path, step: int) -> list[dict[str, Any]]:
    """Return what was logged until a step."""
    state = json.loads((folder_of(stage, step) / STATE).read_text("utf-8"))
    logged: list[dict[str, Any]] = state["log_history"]
    return logged


def disk_full(folder: Path, wanted_bytes: int) -> DiskFull | None:
    """Return the error for a checkpoint that does not fit, None where it would.

    For what torch and safetensors raise: they hide a full disk behind errors of their own.
    """
    try:
        need_room(folder, wanted_bytes)
    except OSError as error:
        if error.errno not in NO_SPACE:
            return None
        message = (
            f"no space left on the disk that holds {folder}: a checkpoint takes {wanted_bytes / 1e6:,.0f} MB"
        )
        next_step = (
            "free some space or name another folder with --data, then run the command again; "
            "train.keep_checkpoints=1 keeps fewer, and the run goes on with it"
        )
        return DiskFull(message, next_step)
    return None


def need_room(folder: Path, wanted_bytes: int) -> None:
    """Refuse to go on when a checkpoint would not fit.

    Raises:
        OSError: ENOSPC and its kin, before anything of the checkpoint is written.
    """
    with tempfile.TemporaryFile(dir=folder) as trial:
        os.posix_fallocate(trial.fileno(), 0, wanted_bytes)
