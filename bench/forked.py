"""What a piece of work takes of memory, in a forked process of its own, as the kernel counts it; Linux only.

Forked, so that the imports are there already and the machine is not kept busy by them. In: work. Out: whatever it
tells. A fork meets the pages of the libraries anew: let it do something small before `from_here`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def in_fork(work: Callable[[], T]) -> T:
    """Return what the work returns in a forked process.

    Raises:
        EOFError: it ended without a result; its own error stands on the terminal.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_tell, args=(work, theirs))
    child.start()
    theirs.close()
    try:
        found: T = ours.recv()
    finally:
        child.join()
    return found


def from_here() -> Callable[[], int]:
    """Return what tells by how many bytes this process has grown at most from here on."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the high-water mark begins anew
    before = _status_bytes("VmRSS")
    return lambda: _status_bytes("VmHWM") - before


def _tell(work: Callable[[], object], told: Connection) -> None:
    told.send(work())


def _status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024
