"""Counting and keeping Chinese characters, and seeing signs of neighbours.

Text comes in; numbers or the bare Chinese characters come out. Japanese in Chinese
characters alone is not told from Chinese, and words are not segmented.
"""

from __future__ import annotations

import re

# Unified ideographs with extensions A to H, compatibility ideographs and the round zero.
HAN_CLASS = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_HAN = re.compile(f"[{HAN_CLASS}]")
_LETTER = re.compile(r"[^\W\d_]|\u3007")
_KANA_OR_HANGUL = re.compile(
    "[\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff\u31f0-\u31ff\uff66-\uff6f\uff71-\uff9d"
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uffa0-\uffdc]"
)
_NOT_HAN = re.compile(f"[^{HAN_CLASS}]+")


def han_count(text: str) -> int:
    """Return how many Chinese characters the text holds."""
    return len(han_only(text))


def han_share(text: str) -> float:
    """Return the share of Chinese characters among all that is not white space; 0.0 for no text."""
    visible = len("".join(text.split()))
    return han_count(text) / visible if visible else 0.0


def letter_count(text: str) -> int:
    """Return how many letters of all scripts the text holds; a Chinese character is one."""
    return len(_LETTER.findall(text))


def han_share_of_letters(text: str) -> float:
    """Return the share of Chinese characters among the letters of all scripts; 1.0 where there is no letter."""
    letters = letter_count(text)
    return han_count(text) / letters if letters else 1.0


def has_kana_or_hangul(text: str) -> bool:
    """Whether any sign is Japanese or Korean alone; both are written with as many Chinese characters as Chinese."""
    return _KANA_OR_HANGUL.search(text) is not None


def han_only(text: str) -> str:
    """Return the Chinese characters alone, in order."""
    return _NOT_HAN.sub("", text)


def is_han(character: str) -> bool:
    """Return whether one character is Chinese."""
    return _HAN.match(character) is not None
