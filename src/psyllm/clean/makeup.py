"""What a text is made of: how many characters of each writing, counted all at once.

Text comes in, counts go out: Chinese, kana, hangul, pictures, broken characters
and all that is not white space. Counting looks at blocks of 64 characters, which no writing shares but
in rare corners. What a mixture means is decided in `quality.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK_BITS = np.uint16(6)
_OTHER, _HAN, _KANA, _HANGUL, _PICTURE, _SECOND_HALF, _BLANK = range(7)
# First and last character; the halves of characters beyond U+FFFF stand for them: extensions of
# Chinese from U+20000, pictures from U+1F000.
_BLOCKS = (
    (0x3400, 0x4DBF, _HAN), (0x4E00, 0x9FFF, _HAN), (0xF900, 0xFAFF, _HAN), (0xD840, 0xD8BF, _HAN),
    (0x3040, 0x30FF, _KANA), (0x31C0, 0x31FF, _KANA),
    (0xAC00, 0xD7BF, _HANGUL), (0x1100, 0x11FF, _HANGUL), (0xD800, 0xD83F, _PICTURE),
    (0x2600, 0x27BF, _PICTURE), (0xDC00, 0xDFFF, _SECOND_HALF),
)  # fmt: skip


class Makeup(NamedTuple):
    """Counts of characters; `visible` is all but white space."""

    han: int
    kana: int
    hangul: int
    pictures: int
    broken: int
    visible: int

    @property
    def han_share(self) -> float:
        """Share of Chinese characters among the visible; 0.0 for no text."""
        return self.han / self.visible if self.visible else 0.0


def makeups(texts: Sequence[str]) -> list[Makeup]:
    """Return the counts of each text, all counted at once; a few hundred MB a second."""
    encoded = [text.encode("utf-16-le", "surrogatepass") for text in texts]
    codes = np.frombuffer(b"".join(encoded), dtype=np.uint16)
    classes = _classes().take(codes >> _BLOCK_BITS, mode="clip")
    ends = list(accumulate((len(one) // 2 for one in encoded), initial=0))
    return [
        _counted(text, np.bincount(classes[start:end], minlength=_BLANK).tolist())
        for text, (start, end) in zip(texts, pairwise(ends), strict=True)
    ]


def _counted(text: str, counts: list[int]) -> Makeup:
    blank = sum(map(text.count, " \n\t\r\u3000\u00a0"))
    return Makeup(
        han=counts[_HAN] + text.count("\u3007"),
        kana=counts[_KANA],
        hangul=counts[_HANGUL],
        pictures=counts[_PICTURE],
        broken=text.count("\ufffd"),
        visible=len(text) - blank,
    )


@functools.cache
def _classes() -> NDArray[np.uint8]:
    classes = np.zeros(2**16 >> int(_BLOCK_BITS), dtype=np.uint8)
    for first, last, kind in _BLOCKS:
        classes[first >> int(_BLOCK_BITS) : (last >> int(_BLOCK_BITS)) + 1] = kind
    return classes
