"""What every importer needs to know of the source, and where it counts what it left out.

A `Source` gives each record its name, licence and permissions and an id that is
unique within the source, and counts by reason what was not taken in
(a file that is no text, spans that do not fit). It reads nothing itself.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from psyllm.collect.sites.authors import Authors

T = TypeVar("T")


@dataclass
class Source:
    """Name, licence and permissions of what is imported; the counters count by reason.

    `data` is where runs lie: the key that hides authors may not lie in there.
    """

    name: str
    licence: str
    may_train: bool = True
    may_show: bool = False
    data: Path | None = None
    read: int = 0
    joined: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    parts_left_out: Counter[str] = field(default_factory=Counter)
    _keys: Counter[str] = field(default_factory=Counter)

    @functools.cached_property
    def authors(self) -> Authors:
        """Return the keyed hash of authors; its key is read, or made, at the first use."""
        return Authors.from_key_file(self.data or Path())

    def each(self, inputs: Iterable[T]) -> Iterator[T]:
        """Yield what is read, counted: each must become a record, be left out, or join another."""
        for one in inputs:
            self.read += 1
            yield one

    def leave_out(self, reason: str) -> None:
        """Count one of what was read as no record."""
        self.left_out[reason] += 1

    def cut(self, reason: str) -> None:
        """Count a part of a record that stays behind."""
        self.parts_left_out[reason] += 1

    def provenance(self, key: str) -> dict[str, Any]:
        """Return the fields that tell where a record comes from; records of one key are one group."""
        group = f"{self.name}:{key}"
        self._keys[key] += 1
        again = self._keys[key]
        return {
            "id": group if again == 1 else f"{group}#{again}",
            "group": group,
            "source": self.name,
            "licence": self.licence,
            "may_train": self.may_train,
            "may_show": self.may_show,
        }


def key_of(raw: bytes) -> str:
    """Return a key for what brings none of its own: a hash of its raw bytes."""
    return hashlib.sha256(raw).hexdigest()[:16]
