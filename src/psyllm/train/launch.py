"""Starting several processes of one training on this machine.

In: how many, and the words of the command. Out: all of them have ended well, or
one error. Started by torch's own launcher, as `torchrun` would; several
machines are torchrun's or Slurm's matter (`deploy/`). Nothing here trains.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from psyllm.core.errors import WorkerLost
from psyllm.train.processes import QUIET_FAILURE, STOPPED

GRACE_S = 600  # from a request to stop until the end: a step and a checkpoint of a large model


def launch(count: int, words: Sequence[str]) -> None:
    """Run `psyllm` with these words in so many processes and wait for all.

    Raises:
        WorkerLost: one of them was killed or failed in a way that it could not tell.
        SystemExit: one of them has told what is wrong, or that they have stopped.
    """
    # late: torch takes seconds to import
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # its table of what failed tells less than we do
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        run_id=f"psyllm-{os.getpid()}",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
        shutdown_timeout=GRACE_S,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "psyllm.cli", *words)
    except SignalException as error:
        raise SystemExit(STOPPED) from error
    except ChildFailedError as error:
        raise _told({rank: failure.exitcode for rank, failure in error.failures.items()}) from None


def _told(statuses: dict[int, int]) -> BaseException:
    """Return what the exit statuses of the failed processes say together."""
    killed = {rank: status for rank, status in statuses.items() if status not in {QUIET_FAILURE, STOPPED}}
    if killed:
        rank, status = min(killed.items())
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        message = f"process {rank} of this training {how}; the others were ended"
        return WorkerLost(message, "run the same command: it goes on from the last whole checkpoint")
    return SystemExit(STOPPED if STOPPED in statuses.values() else QUIET_FAILURE)
