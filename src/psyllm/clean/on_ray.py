"""The same shards on a Ray cluster: for text that one machine takes too long for.

Work and shards go in, files come out, as with `execute.py`: each shard is one
row of a Ray data set. All machines must see the data folder under the same
path. RAY_ADDRESS names a running cluster; without it one is started on this
machine for the time of the work.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from psyllm.clean.execute import Work
from psyllm.clean.shards import Shard
from psyllm.core.errors import MissingExtra
from psyllm.core.progress import report


def run_shards_on_ray(work: Work, shards: Sequence[Shard], workers: int, task: str) -> None:
    """Do the work with every shard, on so many processors of a local cluster; 0 takes all.

    Raises:
        MissingExtra: Ray is not installed.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtra("clean.engine=ray needs Ray", "run: pip install 'psyllm[ray]'") from None
    total = sum(shard.rows for shard in shards)
    report(task, 0, total)
    if not ray.is_initialized():
        _start(workers)
    rows = [{"place": place} for place in range(len(shards))]
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    done = 0
    if rows:
        found = ray.data.from_items(rows, override_num_blocks=len(rows)).map(_Doing(work, shards))
        for row in found.iter_rows():
            done += row["rows"]
            report(task, done, total)
    report(task, total, total)


class _Doing:
    """The work as a function from a row with a shard's place to a row with how much was done."""

    def __init__(self, work: Work, shards: Sequence[Shard]) -> None:
        self._work = work
        self._shards = tuple(shards)

    def __call__(self, row: dict[str, Any]) -> dict[str, int]:
        shard = self._shards[row["place"]]
        self._work(shard, _nothing)
        return {"rows": shard.rows}


def _nothing(_: int) -> None:
    """Progress comes shard by shard here."""


def _start(workers: int) -> None:
    import ray

    address = os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address, log_to_driver=False)
        return
    # Ray Data waits for ever on one processor: one is taken up by reading.
    processors = max(2, workers or len(os.sched_getaffinity(0)))
    ray.init(
        num_cpus=processors,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
    )
