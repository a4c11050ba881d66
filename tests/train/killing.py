"""Runs a training in children that kill themselves (-9) until each stage had enough kills.

In: settings, a data folder, a base seed and how many kills each stage has to
meet. Out: the kills and, for every data folder, the files of the finished run.
To be run in a fork (`forked.py`): children are forks of it in turn, and load
nothing anew either.
"""

import contextlib
import importlib
import os
import random
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from psyllm.core.progress import listening
from psyllm.core.stages import Stage, need_current
from psyllm.core.train_settings import TrainSettings
from psyllm.train.run import run

STAGES = ("adapt", "answer")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after_reports(chance: random.Random, stage: str):
    """Die a moment after one of the next steps of a stage, or of what comes before the first."""
    left = [chance.randint(2, 9)]
    wait_s = chance.uniform(0, 0.05)

    def listener(progress):
        if progress.task == f"training: {stage}":
            left[0] -= 1
            if left[0] == 0:
                threading.Timer(wait_s, die).start()

    return listener


def while_writing(chance: random.Random, data: Path, stage: str):
    """Die as soon as a checkpoint of a stage that is not whole holds so many files."""
    files = chance.randint(1, 8)

    def watch():
        while True:
            for folder in data.glob(f"{Stage.MODELS.value}/*/{stage}/checkpoint-*"):
                names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
                if len(names) >= files and "whole.json" not in names:
                    die()
            time.sleep(0.002)

    threading.Thread(target=watch, daemon=True).start()
    return lambda _: None


def dying(chance: random.Random, data: Path, stage: str):
    """Return a listener of a process that will die in a stage."""
    return after_reports(chance, stage) if chance.random() < 0.5 else while_writing(chance, data, stage)


def silent(_) -> None:
    """Hear nothing."""


def ended(settings: TrainSettings, data: Path, seed: float, stage: str | None) -> bool:
    """Run in a child, which dies if a stage is given and it meets its moment there; return whether it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with listening(silent if stage is None else dying(random.Random(seed), data, stage)):
                run(settings, data)
            data.with_suffix(".modules").write_text("\n".join(sys.modules))
            status = 0
        finally:
            if status:
                traceback.print_exc()
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    assert status in {0, signal.SIGKILL}, status
    return status == 0


def load(modules: list[str]) -> None:
    """Load what a child needed, so that the next ones find it."""
    for name in modules:
        if name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def kill_until_enough(
    settings: TrainSettings, prepared: Path, seed: int, wanted: int
) -> tuple[dict[str, int], list[dict[str, str]]]:
    """Return the kills of each stage, and the files of the undisturbed run and of the disturbed ones."""
    chance = random.Random(seed)
    kills, found = dict.fromkeys(STAGES, 0), []

    def to_die_in() -> str | None:
        return next((stage for stage in STAGES if found and kills[stage] < wanted), None)

    while not found or to_die_in() is not None:
        data = Path(f"{prepared}-{len(found)}")
        shutil.copytree(prepared, data)
        # the seed is drawn here: a child's draws are lost with it, and each would die at the same moment
        while not ended(settings, data, chance.random(), stage := to_die_in()):
            kills[stage] += 1
        found.append(need_current(data, Stage.MODELS)[1].files)
        load(data.with_suffix(".modules").read_text().split())
    return kills, found
