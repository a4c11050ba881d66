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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psyllm.core.stages import EVENTS

METRICS = "metrics.jsonl"
SPEED = "speed.jsonl"
DESCRIPTION = "run.json"
NOW = "now.json"
LOCK = ".being-made"


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
    try:
        with (run_folder / EVENTS / LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
