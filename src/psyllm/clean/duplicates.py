"""Records that say the same, or nearly the same, as another one.

Records come in one by one; at the end each duplicate goes out with its reason
and the record that stays for it. Equal words are found by content hash; near
ones by MinHash candidates, each checked by the Jaccard similarity of its
character 5-grams without white space. Chains are one cluster. Of a cluster
the best record stays: reviewed before not, shown and trained on before not,
longer before shorter, earlier before later. Only records of one kind are
compared. What is kept in memory is 16 keys a record; n-grams wait in a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from psyllm.core.records import Record
from psyllm.text.groups import Groups
from psyllm.text.hashed_ngrams import ngram_sets, without_space
from psyllm.text.minhash import band_keys, candidate_pairs

TEXTS_AT_ONCE = 256
_STORED = np.dtype(np.uint32)  # the upper half of a hash is enough to check a candidate
_HALF = np.uint64(32)


class Duplicate(NamedTuple):
    """Why a record is left out, and the place of the one that stays."""

    reason: str
    kept: int


class _Worth(NamedTuple):
    is_reviewed: bool
    may_show: bool
    may_train: bool
    length: int
    earlier: int


class DuplicateFinder:
    """Takes records in order of their places 0, 1, 2 … and finds duplicates at the end."""

    def __init__(self, work_file: Path, least_jaccard: float) -> None:
        self._least = least_jaccard
        self._path = work_file
        self._file = work_file.open("wb")
        self._texts: list[str] = []
        self._kinds: list[str] = []
        self._hashes: list[bytes] = []
        self._worths: list[_Worth] = []
        self._keys: list[NDArray[np.uint64]] = []
        self._sizes: list[NDArray[np.int64]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, record: Record, content_hash: str) -> None:
        """Take the next record."""
        text = without_space("".join(record.texts()))
        place = len(self._kinds)
        is_reviewed = bool(record.reviewed_by) or any(answer.reviewed_by for answer in record.answers)
        self._worths.append(_Worth(is_reviewed, record.may_show, record.may_train, len(text), -place))
        self._kinds.append(record.kind)
        self._hashes.append(bytes.fromhex(content_hash))
        self._texts.append(text)
        if len(self._texts) == TEXTS_AT_ONCE:
            self._sign()

    def find(self) -> dict[int, Duplicate]:
        """Return the records that are left out, by place."""
        self._sign()
        self._file.flush()
        groups = self._joined()
        left_out: dict[int, Duplicate] = {}
        for places in groups.all().values():
            kept = max(places, key=lambda place: self._worths[place])
            for place in places:
                if place != kept:
                    is_exact = self._hashes[place] == self._hashes[kept]
                    left_out[place] = Duplicate("exact_duplicate" if is_exact else "near_duplicate", kept)
        return left_out

    def _joined(self) -> Groups:
        groups = Groups(len(self._kinds))
        if not self._kinds:
            return groups
        first_with: dict[bytes, int] = {}
        for place, content in enumerate(self._hashes):
            groups.join(first_with.setdefault(content, place), place)
        borders = np.concatenate([[0], *self._sizes]).cumsum()
        is_first = np.array([first_with[content] == place for place, content in enumerate(self._hashes)])
        for left, right in candidate_pairs(np.concatenate(self._keys), is_first):
            if groups.of(left) != groups.of(right) and self._are_near(left, right, borders):
                groups.join(left, right)
        return groups

    def _are_near(self, left: int, right: int, borders: NDArray[np.int64]) -> bool:
        if self._kinds[left] != self._kinds[right]:
            return False
        first, second = self._ngrams(left, borders), self._ngrams(right, borders)
        shared = len(np.intersect1d(first, second, assume_unique=True))
        return shared >= self._least * (len(first) + len(second) - shared)

    def _ngrams(self, place: int, borders: NDArray[np.int64]) -> NDArray[np.uint32]:
        start, end = int(borders[place]), int(borders[place + 1])
        stored = np.fromfile(self._path, _STORED, count=end - start, offset=start * _STORED.itemsize)
        return np.unique(stored)

    def _sign(self) -> None:
        if not self._texts:
            return
        sets = ngram_sets(self._texts)
        self._keys.append(band_keys(sets))
        self._sizes.append(sets.sizes())
        self._file.write((sets.hashes >> _HALF).astype(_STORED).tobytes())
        self._texts = []
