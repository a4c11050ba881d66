"""Shards on all cores of this machine: work and shards in, nothing out but files.

Little work runs here and now; much of it in worker processes, which end with
this one. When a worker is killed (most often for want of memory) the shards
that are not done are tried once more by half as many. `on_ray.py` does the
same on many machines.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Self

import pyarrow as pa

from psyllm.clean.shards import Beat, Shard
from psyllm.core.errors import WorkerLost
from psyllm.core.progress import report

Work = Callable[[Shard, Beat], None]
FEWEST_ROWS_FOR_WORKERS = 4096  # below, starting processes costs more than they save
SECONDS_BETWEEN_REPORTS = 0.2
_counters: list[Synchronized[int]] = []  # in a worker: the one that the parent reads


class Workers:
    """Worker processes for one pass after the other: begun when a pass needs them, anew after a loss.

    Use it as a context. `most` is how many there may be; 0 stands for as many as there are cores.
    """

    def __init__(self, most: int) -> None:
        self.most = most or len(os.sched_getaffinity(0))
        self._context = multiprocessing.get_context("spawn")
        self._pool: ProcessPoolExecutor | None = None
        self._others: set[BaseProcess] = set()
        self._counter = self._context.Value("q", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def pool(self, workers: int) -> tuple[ProcessPoolExecutor, Synchronized[int]]:
        """Return processes, so many if they have to be begun, and the counter of the rows that they did."""
        if self._pool is None:
            self._counter = self._context.Value("q", 0)
            self._others = set(multiprocessing.active_children())
            self._pool = ProcessPoolExecutor(workers, self._context, _begin, (self._counter,))
        self._counter.get_obj().value = 0
        return self._pool, self._counter

    def end(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def end_broken(self) -> None:
        """End the processes of a pool that has lost one.

        A worker that was being started while the pool found out is told nothing by it, and would be
        waited for without end.
        """
        for process in set(multiprocessing.active_children()) - self._others:
            process.kill()
        self.end()


def run_shards(work: Work, shards: Sequence[Shard], workers: Workers, task: str) -> None:
    """Do the work with every shard.

    Raises:
        WorkerLost: workers were killed twice; what is done stays done.
    """
    total = sum(shard.rows for shard in shards)
    wanted = min(workers.most, len(shards))
    report(task, 0, total)
    if wanted < 2 or total < FEWEST_ROWS_FOR_WORKERS:
        _run_here(work, shards, task, total)
        return
    left = _run_in_pool(work, shards, workers, wanted, task)
    if left:
        left = _run_in_pool(work, left, workers, max(1, wanted // 2), task)
    if left:
        message = (
            f"workers of `{task}` were killed twice; {len(left):,} of {len(shards):,} files are not done"
        )
        next_step = "free some memory, then run again (what is done is kept): --set clean.workers=1"
        raise WorkerLost(message, next_step)


def _run_here(work: Work, shards: Sequence[Shard], task: str, total: int) -> None:
    done = 0

    def beat(rows: int) -> None:
        nonlocal done
        done += rows
        report(task, done, total)

    for shard in shards:
        work(shard, beat)
    report(task, total, total)


def _run_in_pool(
    work: Work, shards: Sequence[Shard], workers: Workers, wanted: int, task: str
) -> list[Shard]:
    """Return the shards that were not done because a worker was killed."""
    pool, counter = workers.pool(wanted)
    total = sum(shard.rows for shard in shards)
    futures: dict[Future[None], Shard] = {}
    try:
        futures = {pool.submit(_do, work, shard): shard for shard in shards}
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, SECONDS_BETWEEN_REPORTS, FIRST_EXCEPTION)
            for future in done:
                future.result()
            # Without its lock, which a worker that was killed may hold for ever.
            report(task, min(counter.get_obj().value, total), total)
    except BrokenProcessPool:
        workers.end_broken()
        return [shard for future, shard in futures.items() if _is_not_done(future)] or list(shards)
    report(task, total, total)
    return []


def _is_not_done(future: Future[None]) -> bool:
    return not future.done() or future.cancelled() or future.exception() is not None


def _do(work: Work, shard: Shard) -> None:
    work(shard, _beat)


def _beat(rows: int) -> None:
    for counter in _counters:
        with counter.get_lock():
            counter.value += rows


def _begin(counter: Synchronized[int]) -> None:
    """Prepare a worker: one core each, and an end when the one who started it ends."""
    _counters.append(counter)
    pa.set_cpu_count(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
