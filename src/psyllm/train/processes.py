"""Which of a training's processes this is, and how they speak with each other.

In: the variables that torchrun (or srun with torchrun) gives every process.
Out: a `Team`: who is first, and small exchanges on the processor. Only the
first writes to the run's folder, and of several processes that fail for one
reason only one says so. Nothing here knows a model or a row.

transformers' Trainer is not told of the others: its own way of spreading a
model falls back without a word (FSDP on a CPU becomes DDP). The variables are
taken out of the environment while a team works, and `spread` does the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from psyllm.core.errors import BadSetting, WorkerLost
from psyllm.core.progress import listening
from psyllm.core.stages import StageRun, writing
from psyllm.train.stopping import Stop

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

QUIET_FAILURE = 2  # the exit status of a process whose fellow has told the reason
STOPPED = 130
FAILED = "psyllm/failed"
# What accelerate reads to find out that it is one of many: torchrun's names, and srun's and mpirun's.
SPREADING = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "GROUP_RANK",
    "PMI_SIZE",
    "OMPI_COMM_WORLD_SIZE",
    "MV2_COMM_WORLD_SIZE",
)
# How gloo and NCCL name themselves in the plain RuntimeError with which a lost peer shows.
BACKENDS = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")
ALL_ALIKE = "keep data and settings on storage that all machines share, and install the same psyllm on each"


class Place(NamedTuple):
    """Where this process stands: its number of all, and of those on its machine."""

    rank: int = 0
    processes: int = 1
    local_rank: int = 0
    local_processes: int = 1


class Team:
    """The processes of one training, seen from one of them; alone, every exchange is the value itself."""

    def __init__(self, place: Place, store: Any = None) -> None:  # noqa: ANN401 - torch is imported late
        self.rank = place.rank
        self.count = place.processes
        self.on_this_machine = place.local_processes
        self._store = store

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Go on once all have come here."""
        if self.count == 1:
            return
        import torch

        self.sum(torch.zeros(1))  # unlike what the first tells, a sum holds up the first as well

    def tell(self, make: Callable[[], T]) -> T:
        """Let the first process make something, and give it to all."""
        if self.count == 1:
            return make()
        from torch import device, distributed

        box = [make() if self.is_first else None]
        distributed.broadcast_object_list(box, src=0, device=device("cpu"))
        made: Any = box[0]
        told: T = made
        return told

    def gather(self, mine: T) -> list[T]:
        """Return what each process has, in their order; on all but the first an empty list."""
        if self.count == 1:
            return [mine]
        from torch import distributed

        all_of_them: list[Any] | None = [None] * self.count if self.is_first else None
        distributed.gather_object(mine, all_of_them, dst=0)
        return all_of_them or []

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum over all processes, on the tensor's device."""
        if self.count == 1:
            return tensor
        from torch import distributed

        total = tensor.detach().clone()
        distributed.all_reduce(total)
        return total

    def need_same(self, what: str, mine: str) -> None:
        """Refuse to go on when the processes do not hold the same.

        Raises:
            BadSetting: another process has another `what` than the first.
        """
        if self.tell(lambda: mine) != mine:
            message = f"process {self.rank} of {self.count} has other {what} than the first"
            raise BadSetting(message, ALL_ALIKE)

    @contextmanager
    def writing(self, run: StageRun) -> Iterator[StageRun]:
        """Hold the run's folder by the first process; the others come in once it is there."""
        if not self.is_first:
            self.wait()
            yield run
            return
        with writing(run, keep_partial=True) as writer:
            self.wait()
            yield writer

    def speaks(self) -> bool:
        """Return whether this process is the first of all to tell that something failed."""
        if self._store is None:
            return True
        try:
            tries: int = self._store.add(FAILED, 1)
        except RuntimeError:  # the store went with the process that held it
            return True
        return tries == 1


ALONE = Team(Place())


class Sharing(NamedTuple):
    """Who takes part in a stage, how they share the work (`train.processes`), what asks them to stop."""

    team: Team
    way: str
    stop: Stop


BY_ITSELF = Sharing(ALONE, "one", Stop())


@contextmanager
def joined(way: str, wait_s: int) -> Iterator[Team]:
    """Be one of the processes that torchrun started, or alone.

    `way` is `train.processes`. A process that fails ends the others: they lose
    it in their next exchange, at the latest after `wait_s`.

    Raises:
        BadSetting: there are several processes and `way` does not say how they share the work.
        WorkerLost: another process ended or does not answer.
        SystemExit: this one failed too, and another has said why.
    """
    place = _place(os.environ)
    if way == "one":
        if place.processes > 1:
            message = f"{place.processes} processes were started, and train.processes=one"
            raise BadSetting(
                message,
                "say how they share the work: --set train.processes=ddp (or fsdp); a run that one process began is "
                "resumed by one",
            )
        yield ALONE
        return
    team = _meet(place, wait_s)
    is_whole = False
    with _unseen(os.environ):
        try:
            with nullcontext() if team.is_first else listening(lambda _: None):
                yield team
            is_whole = True
        except Exception as error:
            if team.count > 1 and not team.speaks():
                raise SystemExit(QUIET_FAILURE) from None
            lost = _lost_fellow(error, team)
            if lost is None:
                raise
            raise lost from error
        except KeyboardInterrupt:
            if not team.is_first:  # a stop reaches all of them
                raise SystemExit(STOPPED) from None
            raise
        finally:
            # with a lost fellow it could wait for him: then the end of the process ends the group
            if team.count == 1 or is_whole:
                _part()


def _place(environment: MutableMapping[str, str]) -> Place:
    def number(name: str, otherwise: int) -> int:
        return int(environment.get(name, otherwise))

    count = number("WORLD_SIZE", 1)
    rank = number("RANK", 0)
    return Place(rank, count, number("LOCAL_RANK", rank), number("LOCAL_WORLD_SIZE", count))


def is_follower() -> bool:
    """Return whether another process of this training writes and speaks."""
    return _place(os.environ).rank > 0


def _meet(place: Place, wait_s: int) -> Team:
    """Make the group; every process sees one card only, its own."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a lost store is told by us, not by its stack
    from torch import distributed
    from torch._C._distributed_c10d import HashStore, PrefixStore, Store
    from torch.distributed.rendezvous import rendezvous

    _keep_one_card(place, os.environ)
    from torch import cuda

    wait = timedelta(seconds=wait_s)
    store: Store
    backend = "cpu:gloo,cuda:nccl" if cuda.is_available() else "gloo"
    try:
        if "WORLD_SIZE" in os.environ:
            store, rank, count = next(rendezvous("env://", timeout=wait))
        else:
            store, rank, count = HashStore(), 0, 1
        distributed.init_process_group(
            backend, store=PrefixStore("psyllm", store), rank=rank, world_size=count, timeout=wait
        )
    except (RuntimeError, ValueError) as error:
        message = f"the {place.processes} processes of this training did not find each other in {wait_s} s"
        raise WorkerLost(message, "look at MASTER_ADDR and MASTER_PORT, or start them by torchrun") from error
    return Team(place, store)


def _keep_one_card(place: Place, environment: MutableMapping[str, str]) -> None:
    """Hide the cards of the other processes, before anything asks for them."""
    if place.local_processes == 1:
        return
    named = environment.get("CUDA_VISIBLE_DEVICES")
    cards = named.split(",") if named else [str(number) for number in range(place.local_processes)]
    if place.local_rank < len(cards):
        environment["CUDA_VISIBLE_DEVICES"] = cards[place.local_rank]


@contextmanager
def _unseen(environment: MutableMapping[str, str]) -> Iterator[None]:
    taken = {name: environment.pop(name) for name in SPREADING if name in environment}
    try:
        yield
    finally:
        environment.update(taken)


def _lost_fellow(error: Exception, team: Team) -> WorkerLost | None:
    """Return what a torn connection of the backend means; None for another error."""
    from torch import distributed

    is_torn = isinstance(error, distributed.DistError) or any(name in str(error) for name in BACKENDS)
    if not isinstance(error, RuntimeError) or not is_torn or team.count == 1:
        return None
    message = f"another of the {team.count} processes of this training ended or does not answer"
    return WorkerLost(
        message, "see what it said last, then run the same command: it goes on from the last checkpoint"
    )


def _part() -> None:
    from torch import distributed

    distributed.destroy_process_group()
