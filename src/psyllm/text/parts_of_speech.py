"""Words of Chinese text with their parts of speech.

Text comes in, pairs of word and tag come out, in order; the words joined are
the text. Tags are rjieba's (ICTCLAS letters: n, v, r, uj …; x for marks and
white space). A dictionary and a hidden Markov model decide: rare names and new
words are cut and tagged wrongly at times, so nothing may hang on one tag.
"""

from __future__ import annotations

import rjieba


def tagged_words(text: str) -> list[tuple[str, str]]:
    """Return (word, tag) for every piece of the text, marks and white space included."""
    return [(word, tag) for word, tag in rjieba.tag(text)]
