"""What the lexicon and the guard share: patterns with named parts, and sentences.

A pattern may name a part as <part>; parts may name parts. Sentences are those
of the folded copy (。 ! ? and line breaks). No judgement is made here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PART = re.compile(r"(?<!P)<([a-z]+)>")
_ENDS = "。!?\n"
_SENTENCE_ENDS = re.compile(f"[{_ENDS}]")


def compile_pattern(pattern: str, parts: Mapping[str, str]) -> re.Pattern[str]:
    """Return the pattern with its parts put in; KeyError for an unknown one, re.error for a broken one."""
    while _PART.search(pattern):
        pattern = _PART.sub(lambda match: parts[match[1]], pattern)
    return re.compile(pattern)


def sentence_around(text: str, start: int, end: int) -> str:
    """Return the sentence or sentences that `start:end` touches, without their end marks."""
    # End marks at the rim of a match belong to it, not to the sentence that they end.
    while start < end and _SENTENCE_ENDS.match(text[start]):
        start += 1
    while start < end and _SENTENCE_ENDS.match(text[end - 1]):
        end -= 1
    # Outwards from the match: a long text with many matches must not be read whole for each.
    before = max(text.rfind(mark, 0, start) for mark in _ENDS) + 1
    after = _SENTENCE_ENDS.search(text, end)
    return text[before : after.start() if after else len(text)]


def sentence_before(text: str, start: int) -> str:
    """Return what stands in the same sentence before `start`."""
    return text[max(text.rfind(mark, 0, start) for mark in _ENDS) + 1 : start]
