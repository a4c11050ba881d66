"""Sets of character n-grams and how much two of them share.

Text comes in, frozen sets and shares come out. White space counts as it
stands: callers fold it first. No hashing and no estimates; for millions of
texts use MinHash instead and these for the check of each candidate.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet


def char_ngrams(text: str, n: int = 5) -> frozenset[str]:
    """Return all runs of `n` characters; a shorter, non-empty text is its own only run."""
    if len(text) <= n:
        return frozenset((text,)) if text else frozenset()
    return frozenset(text[start : start + n] for start in range(len(text) - n + 1))


def jaccard(left: AbstractSet[str], right: AbstractSet[str]) -> float:
    """Return shared runs over all runs, 0 to 1; two empty sets share nothing."""
    if not left or not right:
        return 0.0
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)
