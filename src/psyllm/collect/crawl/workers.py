"""Starts the workers of a crawl, watches them, and says how they ended.

Plans come in, one process each; why each ended goes out. A worker that dies takes
nothing with it: its leases run out and go to the others, so its death is told only
when none was left to finish. Nothing here fetches or writes a page.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from psyllm.collect.crawl.worker_process import Ended, WorkerPlan, work

LOOK_EVERY_S = 0.5
# A worker that is told to stop needs `worker.LET_FINISH_S`, then a write.
LET_END_S = 10.0
DIED = "died"


class Workers:
    """The processes of one crawl on this machine."""

    def __init__(self, plans: Sequence[WorkerPlan]) -> None:
        # Not forked: Scrapy's reactor and the open frontier would be copied.
        context = multiprocessing.get_context("spawn")
        self._pairs: list[tuple[SpawnProcess, Connection]] = []
        for plan in plans:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=work, args=(plan, theirs), name=plan.limits.name)
            process.start()
            theirs.close()
            self._pairs.append((process, ours))

    def wait(self, look: Callable[[], None]) -> list[Ended]:
        """Return how each worker ended; `look` is called again and again meanwhile."""
        try:
            while any(process.is_alive() for process, _ in self._pairs):
                look()
                time.sleep(LOOK_EVERY_S)
            look()
            return [_ended(pipe) for _, pipe in self._pairs]
        finally:
            self._end()

    def _end(self) -> None:
        """Tell those that still run to stop, and end them if they do not."""
        for process, _ in self._pairs:
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + LET_END_S
        for process, pipe in self._pairs:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            pipe.close()


def _ended(pipe: Connection) -> Ended:
    try:
        ended: Ended = pipe.recv()
    except EOFError:
        return Ended(DIED)
    return ended
