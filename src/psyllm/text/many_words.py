"""Which of many words stand in which of many texts, found in one look at all of them.

Words come in once, texts in lots; for each text the words that stand in it go
out. Every pair of neighbouring characters is looked up in a table of the
rarest pair of each word, all places of all texts at once; only where such a
pair stands is the word itself compared. So a text without any of the words
costs next to nothing, however many words there are. What a word means is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from psyllm.text.commonness import share_of

# So many characters are looked at together: the arrays for them fill a few megabytes.
CHARS_AT_ONCE = 1 << 14
_END = "\n"  # between the texts; no word may hold it
_LAST = np.uint32(0xFFFF)  # characters beyond share a place in the tables: the comparison tells them apart
_NO_PLACES, _NO_ENTRIES = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
_Part = tuple[str, int]  # a word, and where in it stands what is looked up
_OF_CLASS: _Part = ("", 0)


class ManyWords:
    """Finds words, and single characters by a class (`[a-z]`); made once, used for every lot of texts.

    Raises:
        ValueError: a word is empty or holds a line break.
    """

    def __init__(self, words: Iterable[str], characters: str = "") -> None:
        self.words = tuple(dict.fromkeys(words))
        if any(not word or _END in word for word in self.words):
            raise ValueError("a word is empty or holds a line break")
        single = [(word, 0) for word in self.words if len(word) == 1]
        longer = [(word, _rarest_pair(word)) for word in self.words if len(word) > 1]
        firsts = _numbered(word[at] for word, at in longer)
        seconds = _numbered(word[at + 1] for word, at in longer)
        width = len(seconds) + 1
        self._first = _by_code({code: number * width for code, number in firsts.items()})
        self._second = _by_code(seconds)
        self._entries: list[tuple[_Part, ...]] = [()]
        pairs = _grouped(
            longer,
            lambda word, at: firsts[_code(word[at])] * width + seconds[_code(word[at + 1])],
        )
        self._pairs = np.zeros((len(firsts) + 1) * width, dtype=np.int32)
        for place, found in pairs.items():
            self._pairs[place] = self._add(found)
        singles = _grouped(single, lambda word, _: _code(word))
        self._singles = _by_code({code: self._add(found) for code, found in singles.items()})
        self._class = re.compile(characters)
        if characters:
            self._add_class()

    def _add_class(self) -> None:
        """Lead the characters of the class, and all beyond the tables, to a comparison with the class."""
        within = self._class.findall("".join(map(chr, range(int(_LAST)))))
        for code in [*map(ord, within), int(_LAST)]:
            self._singles[code] = self._add([*self._entries[self._singles[code]], _OF_CLASS])

    def _add(self, found: list[_Part]) -> int:
        self._entries.append(tuple(found))
        return len(self._entries) - 1

    def found(self, texts: Sequence[str]) -> list[list[str]]:
        """Return for each text the words and characters that stand in it, each once, in no order of meaning."""
        result: list[list[str]] = [[] for _ in texts]
        for first, last in _lots(texts):
            joined = _END.join(texts[first:last])
            starts = np.cumsum([0, *(len(text) + 1 for text in texts[first : last - 1])])
            places, entries = self._hits(joined)
            numbers = np.searchsorted(starts, places, side="right") - 1 + first
            for place, entry, number in zip(places.tolist(), entries.tolist(), numbers.tolist(), strict=True):
                for word, offset in self._entries[entry]:
                    stands = word if joined.startswith(word, place - offset) else ""
                    if not word and self._class.match(joined, place):
                        stands = joined[place]
                    if stands and stands not in result[number]:
                        result[number].append(stands)
        return result

    def _hits(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return where a word may stand, and the entries of the words."""
        places, entries = [_NO_PLACES], [_NO_ENTRIES]
        for start in range(0, len(text), CHARS_AT_ONCE):
            stretch = text[start : start + CHARS_AT_ONCE + 1]  # one more, for the pair over the border
            codes = np.frombuffer(stretch.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
            codes = np.minimum(codes, _LAST)
            pairs = self._first.take(codes[:-1])
            pairs += self._second.take(codes[1:])
            for found in (self._pairs.take(pairs), self._singles.take(codes[:CHARS_AT_ONCE])):
                hits = np.flatnonzero(found)
                places.append(hits + start)
                entries.append(found[hits])
        return np.concatenate(places), np.concatenate(entries)


def _lots(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield first and last (not included) of texts that are together about as long as is looked at at once."""
    first = chars = 0
    for number, text in enumerate(texts):
        if chars and chars + len(text) > CHARS_AT_ONCE:
            yield first, number
            first, chars = number, 0
        chars += len(text)
    if texts:
        yield first, len(texts)


def _rarest_pair(word: str) -> int:
    """Return where the pair of the word's characters begins that is least common."""
    return min(range(len(word) - 1), key=lambda at: share_of(word[at : at + 2]))


def _code(character: str) -> int:
    return min(ord(character), int(_LAST))


def _numbered(characters: Iterable[str]) -> dict[int, int]:
    """Return a number from 1 for each different character, by its code."""
    return {code: number for number, code in enumerate(dict.fromkeys(map(_code, characters)), start=1)}


def _grouped(words: list[_Part], key: Callable[[str, int], int]) -> dict[int, list[_Part]]:
    groups: dict[int, list[_Part]] = {}
    for word, at in words:
        groups.setdefault(key(word, at), []).append((word, at))
    return groups


def _by_code(numbers: dict[int, int]) -> NDArray[np.int32]:
    table = np.zeros(int(_LAST) + 1, dtype=np.int32)
    for code, number in numbers.items():
        table[code] = number
    return table
