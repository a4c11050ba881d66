"""Keys and numbers that sites write in their own ways.

Comes in: what a page shows. Goes out: a key for a piece whose site gives none,
and numbers out of `赞同 1.2 万` and its like. Reads no page itself.
"""

from __future__ import annotations

import hashlib
import re

_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*([万kK])?")
_TIMES = {"万": 10_000, "k": 1_000, "K": 1_000, None: 1, "": 1}


def key_by_words(word: str, author_hash: str, text: str) -> str:
    """Return a key that is the same for the same words of the same author."""
    said = f"{author_hash}\x1f{text}"
    return f"{word}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def number_in(said: object) -> int | None:
    """Return the first number of a text or a number itself; None when there is none."""
    if isinstance(said, bool) or said is None:
        return None
    if isinstance(said, int):
        return said
    found = _NUMBER.search(str(said))
    if found is None:
        return None
    return round(float(found.group(1).replace(",", "")) * _TIMES[found.group(2)])
