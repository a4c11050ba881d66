"""What the lexicon and the guard share: patterns with named parts, and sentences.

A pattern may name a part as <part>; parts may name parts. Sentences are those
of the folded copy (。 ! ? and line breaks). No judgement is made here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PART = re.compile(r"(?<!P)<([a-z]+)>")
_SENTENCE_ENDS = re.compile(r"[。!?\n]")


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
    borders = [border.start() for border in _SENTENCE_ENDS.finditer(text)]
    before = max((border + 1 for border in borders if border < start), default=0)
    after = min((border for border in borders if border >= end), default=len(text))
    return text[before:after]


def sentence_before(text: str, start: int) -> str:
    """Return what stands in the same sentence before `start`."""
    return _SENTENCE_ENDS.split(text[:start])[-1]
