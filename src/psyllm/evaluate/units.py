"""A text as a list of characters or of words, for metrics that count.

Characters are code points, words are what `rjieba` cuts; white space is left
out of both, punctuation is kept. In: one text. Out: its units in order.
Nothing here folds, corrects or joins characters.
"""

from __future__ import annotations

from typing import Literal

import rjieba

Unit = Literal["chars", "words"]


def split_units(text: str, unit: Unit) -> list[str]:
    """Return the text's characters or words without white space."""
    if unit == "chars":
        return [char for char in text if not char.isspace()]
    return [word for word in rjieba.cut(text) if not word.isspace()]
