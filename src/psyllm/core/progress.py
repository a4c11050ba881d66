"""How long work tells whoever listens how far it is.

Rooms call `track` around what they loop over, or `report` where there is no
loop; the command line listens and draws bars. Without a listener nothing
happens. Work that measures something as it goes adds `figures` by name, each
only when it is new, and says in a word what it is `doing`. Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import NamedTuple, TypeVar

T = TypeVar("T")
TRAINING = "training: "  # how a stage of training calls its task, before the stage's name
NO_FIGURES: Mapping[str, float] = MappingProxyType({})


class Progress(NamedTuple):
    """`done` of `total` units of `task`; `total` is None while unknown."""

    task: str
    done: int
    total: int | None
    note: str = ""
    figures: Mapping[str, float] = NO_FIGURES
    doing: str = ""


Listener = Callable[[Progress], None]
_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send all progress reported inside the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def overhearing(listener: Listener) -> Iterator[None]:
    """Send all progress reported inside the block to `listener`, then to who listens already."""
    outer = _listener.get()

    def both(progress: Progress) -> None:
        listener(progress)
        if outer is not None:
            outer(progress)

    with listening(both):
        yield


def report(
    task: str,
    done: int,
    total: int | None = None,
    note: str = "",
    *,
    figures: Mapping[str, float] = NO_FIGURES,
    doing: str = "",
) -> None:
    """Tell the listener, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(Progress(task, done, total, note, figures, doing))


def track(items: Iterable[T], task: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` and report after each."""
    done = 0
    report(task, 0, total)
    for item in items:
        yield item
        done += 1
        report(task, done, total)
    report(task, done, done)
