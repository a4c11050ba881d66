"""How long work tells whoever listens how far it is.

Rooms call `track` around what they loop over, or `report` where there is no
loop; the command line listens and draws bars. Without a listener nothing
happens. Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Progress(NamedTuple):
    """`done` of `total` units of `task`; `total` is None while unknown."""

    task: str
    done: int
    total: int | None
    note: str = ""


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


def report(task: str, done: int, total: int | None = None, note: str = "") -> None:
    """Tell the listener, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(Progress(task, done, total, note))


def track(items: Iterable[T], task: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` and report after each."""
    done = 0
    report(task, 0, total)
    for item in items:
        yield item
        done += 1
        report(task, done, total)
    report(task, done, done)
