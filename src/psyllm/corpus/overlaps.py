"""A second look at the splits: is a question of one side known to another?

Written records come in, counts go out. This check uses nothing of how the
groups were made: it compares the openings of a side with every text of another
by plain sets of character 5-grams and by their first Chinese characters, which it
looks for at the beginning and, but for documents, anywhere inside. It finds
what is nearly equal, not what is told in other words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from psyllm.core.records import Record
from psyllm.text.han import han_only
from psyllm.text.ngrams import char_ngrams

_SLACK = 1e-9  # a share that is exactly the threshold must not be lost to rounding


class Overlap(NamedTuple):
    """Of `openings` so many begin like, stand inside, or are nearly equal to a text of the other side."""

    openings: int
    same_beginning: int
    beginning_inside: int
    nearly_equal: int


class Openings:
    """The openings of some sides, ready to be looked for."""

    def __init__(
        self, sides: Mapping[str, Iterable[Record]], opening_chars: int, least_jaccard: float
    ) -> None:
        self._chars = opening_chars
        self._least = least_jaccard
        self._begins: defaultdict[str, set[int]] = defaultdict(set)
        self._asked: defaultdict[str, set[int]] = defaultdict(set)
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        self._sizes: list[int] = []
        self._owners: list[int] = []
        self._sides: list[str] = []  # of each record
        for side, records in sides.items():
            for record in records:
                titles = [record.title] if record.kind == "question" and record.title else []
                for opening in {record.opening(), *titles}:
                    self._take(opening, is_asked=record.kind != "document")
                self._sides.append(side)

    def count_in(self, records: Iterable[Record]) -> dict[str, Overlap]:
        """Return, for each side, how many of its openings are found in the texts of these records."""
        same: set[int] = set()
        inside: set[int] = set()
        near: set[int] = set()
        for record in records:
            for text in {*record.texts(), record.opening()}:
                bare = han_only(text)
                same |= self._begins.get(bare[: self._chars], set())
                for begin in self._asked_inside(bare):
                    inside |= self._asked[begin]
                near.update(self._near(text))
        counts = [Counter(self._sides)]
        counts += [Counter(self._sides[place] for place in found) for found in (same, inside, near)]
        return {side: Overlap(*(count[side] for count in counts)) for side in counts[0]}

    def _take(self, opening: str, *, is_asked: bool) -> None:
        begin = han_only(opening)[: self._chars]
        if len(begin) == self._chars:
            self._begins[begin].add(len(self._sides))
            if is_asked:
                self._asked[begin].add(len(self._sides))
        ngrams = char_ngrams(_squeezed(opening))
        for ngram in ngrams:
            self._holders[ngram].append(len(self._sizes))
        self._sizes.append(len(ngrams))
        self._owners.append(len(self._sides))

    def _asked_inside(self, bare: str) -> list[str]:
        asked, length = self._asked, self._chars
        return [
            run for start in range(len(bare) - length + 1) if (run := bare[start : start + length]) in asked
        ]

    def _near(self, text: str) -> Iterator[int]:
        squeezed = _squeezed(text)
        # Of a text near to an opening no more than this share of runs may be strange; every other one
        # shows that of most texts at half the cost.
        some = {squeezed[start : start + 5] for start in range(0, len(squeezed) - 4, 2)}
        strange = len(some) - len(some & self._holders.keys())
        if strange > max(0.0, (1 - self._least) * (len(squeezed) - 4)) + _SLACK:
            return
        ngrams = char_ngrams(squeezed)
        known = ngrams & self._holders.keys()
        if len(known) < self._least * len(ngrams):  # then no opening can share enough of them
            return
        shared: Counter[int] = Counter()
        for ngram in known:
            shared.update(self._holders[ngram])
        for place, count in shared.items():
            if count >= self._least * (len(ngrams) + self._sizes[place] - count):
                yield self._owners[place]


def _squeezed(text: str) -> str:
    return "".join(text.split())
