"""Telling whoever follows a run that the casebook has news of it.

A bell carries nothing: who hears it reads the casebook. Following survives a
lost bell, because it also looks now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Bells:
    """One bell for each follower of each run."""

    def __init__(self) -> None:
        self._hung: dict[str, set[asyncio.Event]] = {}
        self.closing = False

    @contextmanager
    def hang(self, run_id: str) -> Iterator[asyncio.Event]:
        """Give a bell for the block's time."""
        bell = asyncio.Event()
        self._hung.setdefault(run_id, set()).add(bell)
        try:
            yield bell
        finally:
            self._hung[run_id].discard(bell)
            if not self._hung[run_id]:
                del self._hung[run_id]

    def ring(self, run_id: str) -> None:
        """Wake the followers of a run."""
        for bell in self._hung.get(run_id, ()):
            bell.set()

    def close(self) -> None:
        """Wake everybody for the last time: the server stops."""
        self.closing = True
        for run_id in self._hung:
            self.ring(run_id)
