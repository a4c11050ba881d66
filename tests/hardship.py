"""What a machine does to a stage: kills it at any moment, leaves it no space.

`killed`, `finished` and `ends_after_kills` run a room's door in a process of its own and need no
patched code; `scarce_disk` gives a folder on a disk that is really full, or, for
who may not mount one, a process that may really not write.
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_CHILD = """
import sys
from pathlib import Path
from psyllm.{room}.run import run
from psyllm.core.settings import {section}
settings = {section}.model_validate_json(sys.argv[1])
print("begins", flush=True)
print(run(settings, Path(sys.argv[2])).content_hash, flush=True)
"""


class Ended(NamedTuple):
    """How a process ended: its content hash (none when killed) and its seconds at work."""

    content_hash: str | None
    seconds: float


def finished(room: str, settings, data: Path) -> Ended:
    """Run a room to its end in a process of its own."""
    return _run(room, settings, data, None)


def killed(room: str, settings, data: Path, after_s: float) -> Ended:
    """Run a room in a process of its own and kill it (-9) so long after it began to work."""
    return _run(room, settings, data, after_s)


def ends_after_kills(room: str, settings, prepared: Path) -> tuple[str, list[str]]:
    """Return the content hash of an undisturbed run, and of runs that follow a kill at a random moment."""
    whole = finished(room, settings, _copy(prepared, "whole"))
    ends = []
    was_killed = False
    for number, after_s in enumerate(moments(whole.seconds)):
        data = _copy(prepared, f"killed-{number}")
        was_killed |= killed(room, settings, data, after_s).content_hash is None
        ends.append(finished(room, settings, data).content_hash)
    assert was_killed, "every run ended before it could be killed"
    return whole.content_hash, ends


def moments(whole_s: float, count: int = 3) -> list[float]:
    """Return random moments of a run that takes so long; prints the seed that gives them again."""
    seed = int(os.environ.get("PSYLLM_KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    sys.stdout.write(f"PSYLLM_KILL_SEED={seed}\n")
    chance = random.Random(seed)
    return [whole_s * (number + chance.random()) / count * 0.9 for number in range(count)]


def _copy(prepared: Path, name: str) -> Path:
    return Path(shutil.copytree(prepared, prepared.with_name(f"{prepared.name}-{name}")))


def _run(room: str, settings, data: Path, kill_after_s: float | None) -> Ended:
    code = _CHILD.format(room=room, section=type(settings).__name__)
    child = subprocess.Popen(
        [sys.executable, "-c", code, settings.model_dump_json(), str(data)], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout.readline() == "begins\n"
        begun = time.monotonic()
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            child.send_signal(signal.SIGKILL)
        line = child.stdout.readline().strip()
        seconds = time.monotonic() - begun
    assert child.returncode in ({0} if kill_after_s is None else {0, -signal.SIGKILL})
    return Ended(line or None, seconds)


@contextlib.contextmanager
def scarce_disk(folder: Path) -> Iterator[Path]:
    """Give an empty folder on a small disk of its own, or the given one where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def no_space(folder: Path, left_bytes: int) -> Iterator[None]:
    """Leave so many bytes on a scarce disk; on any other no file may grow beyond that."""
    if not os.path.ismount(folder):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (left_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    filler = folder / "filler"
    state = os.statvfs(folder)
    with filler.open("wb") as file:
        file.write(b"\0" * max(0, state.f_bavail * state.f_frsize - left_bytes))
    try:
        yield
    finally:
        filler.unlink()
