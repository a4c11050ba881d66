"""What a training says while it runs, and how anybody sees that it runs.

The training writes, the desk reads: `metrics.jsonl` (losses by step, the same
bytes each time) in the run's folder and, in its `events/`, what holds clock
times: `run.json` (what the run is, before its manifest exists), `now.json` (what
it does at the moment), `speed.jsonl` (a line for each of metrics, with times).
That a run is being made is a lock on a file, which ends with the process however
that ends. Nothing here knows what a training does.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psyllm.core.stages import EVENTS

METRICS = "metrics.jsonl"
SPEED = "speed.jsonl"
DESCRIPTION = "run.json"
NOW = "now.json"
LOCK = ".being-made"
# A look holds the lock for microseconds; another process's look is over by the next one.
LOOKS = 3
BETWEEN_LOOKS_S = 0.005
ONE_LOOK_AT_A_TIME = threading.Lock()


@contextmanager
def being_made(run_folder: Path) -> Iterator[None]:
    """Let everybody see, for the time of the block, that a run is being made; many processes may make one."""
    path = run_folder / EVENTS / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        # Shared, and who looks asks for all of it: so a look never refuses a maker, it only makes it wait.
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def is_being_made(run_folder: Path) -> bool:
    """Return whether some process on this machine makes the run now."""
    for look in range(LOOKS):
        if look:
            time.sleep(BETWEEN_LOOKS_S)
        with ONE_LOOK_AT_A_TIME:
            if not _is_locked(run_folder / EVENTS / LOCK):
                return False
    return True


def _is_locked(path: Path) -> bool:
    """Return whether somebody holds a file's lock: a maker, or for a moment another who looks."""
    try:
        with path.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
