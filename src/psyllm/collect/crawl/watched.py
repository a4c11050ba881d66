"""What was forgotten, as of this moment: a crawl of many days honours what is said meanwhile.

An address comes in; whether it, or the thread that it belongs to, was forgotten
goes out. The list of tombstones is looked at each time and read again when it has
changed. Nothing here removes a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from psyllm.collect.sites.contract import Adapter
from psyllm.core.errors import MalformedInput
from psyllm.core.tombstones import NO_TOMBSTONES, Tombstones, read_tombstones, tombstones_path

# A line that is half written is whole within that time; after that the list is broken.
PATIENCE_S = 1.0
_RETRY_S = 0.02


class Watched:
    """The tombstones of a data folder, read again whenever somebody was forgotten."""

    def __init__(self, data: Path, adapter_for: Callable[[str], Adapter]) -> None:
        self._data = data
        self._path = tombstones_path(data)
        self._adapter_for = adapter_for
        self._seen: tuple[int, int] | None = None
        self._known = NO_TOMBSTONES

    def __call__(self, url: str) -> bool:
        """Return whether an address was forgotten.

        Raises:
            MalformedInput: the list is broken; nothing may be fetched then.
        """
        known = self._now()
        return not known.is_empty and names_page(url, known, self._adapter_for)

    def _now(self) -> Tombstones:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return NO_TOMBSTONES
        seen = (found.st_size, found.st_mtime_ns)
        if seen != self._seen:
            self._known = _patiently(self._data)
            self._seen = seen
        return self._known


def names_page(url: str, known: Tombstones, adapter_for: Callable[[str], Adapter]) -> bool:
    """Return whether a page was forgotten by its address or by another of its thread."""
    if known.has_url(url):
        return True
    adapter = adapter_for(url)
    thread = adapter.thread_of(url) if known.threads and adapter.hosts else ""
    return bool(thread) and known.has_thread(f"{adapter.name}-{thread}")


def _patiently(data: Path) -> Tombstones:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return read_tombstones(data)
        except MalformedInput:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)
