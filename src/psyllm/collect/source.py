"""What every importer needs to know of the source, and where it counts what it left out.

A `Source` gives each record its name, licence and permissions and an id that is
unique within the source and names nobody: a key that may (王小明.txt) is hashed with
the key that hides authors, as a bare hash of a telephone number is turned back by trying all. What
brings no key gets a hash of its bytes, keyed too: with the words around it known, a number taken out of a text
could be tried as well. Ids are the same for the same bytes as long as that key is the same. It counts what was read (`each`), what of that is no
record (`leave_out`) and what became part of the record before it (`joined`), so
that nothing is lost in silence: read = records + left out + joined. What is cut
off a record that stays (a system prompt, spans that do not fit) is counted in
`parts_left_out`. It reads nothing itself.
"""

from __future__ import annotations

import functools
import hashlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from psyllm.collect.encodings import REPLACEMENT, Decoding
from psyllm.collect.file_names import may_name_somebody
from psyllm.collect.sites.authors import Authors

T = TypeVar("T")
# Digests held in a set before they move into the sorted array; a set needs ten times an array's memory.
FEWEST_RECENT = 1 << 16


class Keys:
    """How often each key came, in 8 bytes a key for those that came once."""

    def __init__(self) -> None:
        self._settled = array("Q")
        self._recent: set[int] = set()
        self._repeats: dict[int, int] = {}

    def times(self, key: str) -> int:
        """Count the key once more and return how often it has come."""
        digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
        if not self._is_known(digest):
            self._recent.add(digest)
            if len(self._recent) > max(FEWEST_RECENT, len(self._settled) // 8):
                self._settle()
            return 1
        again = self._repeats.get(digest, 1) + 1
        self._repeats[digest] = again
        return again

    def _is_known(self, digest: int) -> bool:
        if digest in self._recent:
            return True
        place = bisect_left(self._settled, digest)
        return place < len(self._settled) and self._settled[place] == digest

    def _settle(self) -> None:
        self._settled.extend(self._recent)
        np.frombuffer(self._settled, np.uint64).sort()
        self._recent.clear()


@dataclass
class Source:
    """Name, licence and permissions of what is imported; the counters count by reason.

    `facts` are what an importer found out about the whole file; `inside` is the
    file of an archive that is being read, which its records' keys begin with.
    `data` is where runs lie: the key that hides authors may not lie in there.
    """

    name: str
    licence: str
    may_train: bool = True
    may_show: bool = False
    decoding: Decoding = field(default_factory=Decoding)
    data: Path | None = None
    read: int = 0
    joined: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    parts_left_out: Counter[str] = field(default_factory=Counter)
    facts: dict[str, str] = field(default_factory=dict)
    keys_hashed: int = 0
    inside: str = ""
    _keys: Keys = field(default_factory=Keys)

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

    def is_damaged(self, text: str) -> bool:
        """Return whether a text holds damage and is to be left out for it; counts it then."""
        if self.decoding.leaves_damage_out and REPLACEMENT in text:
            self.leave_out("damaged_text")
            return True
        return False

    @functools.cached_property
    def authors(self) -> Authors:
        """Return the keyed hash of authors; its key is read, or made, at the first use."""
        return Authors.from_key_file(self.data or Path())

    def provenance(self, key: str) -> dict[str, Any]:
        """Return the fields that tell where a record comes from; records of one key are one group."""
        inside, own = self.without_person(self.inside), self.without_person(key)
        self.keys_hashed += (inside, own) != (self.inside, key)
        group = f"{inside}{own}"
        return {
            "id": f"{self.name}:{self._unused(group)}",
            "group": f"{self.name}:{group}",
            "source": self.name,
            "licence": self.licence,
            "may_train": self.may_train,
            "may_show": self.may_show,
        }

    def without_person(self, key: str) -> str:
        """Return the key (or the folder, with its slash), or its keyed hash where it may name somebody."""
        bare = key.rstrip("/")
        return self.key_of(bare.encode()) + key[len(bare) :] if may_name_somebody(bare) else key

    def key_of(self, raw: bytes) -> str:
        """Return a key for what brings none of its own: a keyed hash of its raw bytes."""
        return self.authors.key_of(raw)

    def _unused(self, key: str) -> str:
        """Return the key, with a number when it has come before; none comes twice, also not by having one."""
        made, times = key, self._keys.times(key)
        while times > 1:
            made = f"{key}#{times}"
            times = 1 if self._keys.times(made) == 1 else self._keys.times(key)
        return made
