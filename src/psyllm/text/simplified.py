"""Traditional characters to simplified ones, for text that is kept.

A text comes in; the same text in simplified characters goes out with the way
of its places. Only a text that holds enough characters that simplified
writing does not have is converted (OpenCC's `tw2s`), since the conversion
also changes simplified texts: 乾隆 would become 干隆. A converted text is
converted whole: what stands in simplified characters beside a traditional
sentence goes through the conversion as well. What is only looked at and
thrown away is folded in fold.py, which asks less.
"""

from __future__ import annotations

import functools
import re

from psyllm.text.fold import Folded
from psyllm.text.han import HAN_CLASS
from psyllm.text.offsets import Edit, Offsets
from psyllm.text.traditional import character_class, converted, traditional_only

# Different characters that only traditional writing has. One or two may be a name, a quoted word or a
# slip of the keyboard.
FEWEST_TRADITIONAL = 3
# In a text so short that it cannot hold many, one for every so many Chinese characters is enough.
CHARACTERS_FOR_ONE = 12
_HAN_RUN = re.compile(f"[{HAN_CLASS}]+")


def simplified(text: str) -> Folded:
    """Return the text in simplified characters; a text that is not in traditional ones comes back as it is."""
    if not is_traditional(text):
        return Folded(text, Offsets())
    pieces: list[str] = []
    edits: list[Edit] = []
    last = shift = 0
    for run in _HAN_RUN.finditer(text):
        new = converted(run.group())
        edits += _edits(run.group(), new, run.start(), run.start() + shift)
        pieces += [text[last : run.start()], new]
        shift += len(new) - len(run.group())
        last = run.end()
    pieces.append(text[last:])
    return Folded("".join(pieces), Offsets((tuple(edits),) if edits else ()))


def is_traditional(text: str) -> bool:
    """Return whether the text holds enough characters that simplified writing does not have."""
    pattern = _pattern()
    if pattern.search(text) is None:
        return False
    found = len(set(pattern.findall(text)))
    if found >= FEWEST_TRADITIONAL:
        return True
    han = sum(len(run.group()) for run in _HAN_RUN.finditer(text))
    return han <= found * CHARACTERS_FOR_ONE


def _edits(old: str, new: str, start: int, new_start: int) -> list[Edit]:
    """Return what changed in a run of Chinese characters; where its length changed, as one stretch."""
    if len(old) == len(new):
        return [
            Edit(start + at, start + at + 1, new_start + at, new_start + at + 1)
            for at, (before, after) in enumerate(zip(old, new, strict=True))
            if before != after
        ]
    same = min(len(old), len(new))
    head = next((at for at in range(same) if old[at] != new[at]), same)
    rest = same - head
    tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    return [Edit(start + head, start + len(old) - tail, new_start + head, new_start + len(new) - tail)]


@functools.cache
def _pattern() -> re.Pattern[str]:
    basic = frozenset(character for character in traditional_only() if character <= "\uffff")
    return re.compile(f"[{character_class(basic)}]")
