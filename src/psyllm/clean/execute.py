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
from multiprocessing.sharedctypes import Synchronized

import pyarrow as pa

from psyllm.clean.shards import Beat, Shard
from psyllm.core.errors import WorkerLost
from psyllm.core.progress import report

Work = Callable[[Shard, Beat], None]
FEWEST_ROWS_FOR_WORKERS = 4096  # below, starting processes costs more than they save
SECONDS_BETWEEN_REPORTS = 0.2
_counters: list[Synchronized[int]] = []  # in a worker: the one that the parent reads


def run_shards(work: Work, shards: Sequence[Shard], workers: int, task: str) -> None:
    """Do the work with every shard, on so many cores; 0 takes all.

    Raises:
        WorkerLost: workers were killed twice; what is done stays done.
    """
    total = sum(shard.rows for shard in shards)
    wanted = min(workers or len(os.sched_getaffinity(0)), len(shards))
    report(task, 0, total)
    if wanted < 2 or total < FEWEST_ROWS_FOR_WORKERS:
        _run_here(work, shards, task, total)
        return
    left = _run_in_pool(work, shards, wanted, task)
    if left:
        left = _run_in_pool(work, left, max(1, wanted // 2), task)
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


def _run_in_pool(work: Work, shards: Sequence[Shard], workers: int, task: str) -> list[Shard]:
    """Return the shards that were not done because a worker was killed."""
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    total = sum(shard.rows for shard in shards)
    with ProcessPoolExecutor(workers, context, _begin, (counter,)) as pool:
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
            return [shard for future, shard in futures.items() if _is_not_done(future)] or list(shards)
        finally:
            pool.shutdown(cancel_futures=True)
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
