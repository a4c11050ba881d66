"""Sentences of Chinese text, and the part of a growing text that is complete.

Text comes in, pieces that join back to exactly the same text come out. A
sentence ends after 。！？ (also !?) or a line break, with what closes it
(quotation marks, brackets, more end marks, white space). An ellipsis does
not end one: in counselling it is mostly a pause. No grammar is looked at.
"""

from __future__ import annotations

import re

_END = r"[。！？!?｡]"
_CLOSER = r"[。！？!?｡”’」』）)】〕》\"'~～]"
_SENTENCE = re.compile(rf".*?(?:{_END}{_CLOSER}*\s*|\n\s*|\Z)", re.DOTALL)
_FINISHED = re.compile(rf"(?:{_END}{_CLOSER}*|[…~～]+{_CLOSER}*|\n)\s*\Z")


def split_sentences(text: str) -> list[str]:
    """Return the sentences with their end marks and the white space after them; joined they are `text`."""
    return [piece for piece in _SENTENCE.findall(text) if piece]


def complete_prefix(text: str, *, final: bool = False) -> str:
    """Return the sentences of a growing text that more text can no longer change.

    The last sentence counts only when something follows it, since a closing
    mark may still come; with `final` it counts when it has an end mark.
    """
    sentences = split_sentences(text)
    if sentences and not (final and ends_complete(text)):
        sentences.pop()
    return "".join(sentences)


def ends_complete(text: str) -> bool:
    """Return whether the text stops after an end mark and not inside a sentence."""
    return _FINISHED.search(text) is not None
