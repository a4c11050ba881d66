"""Counting and keeping Chinese characters.

Text comes in; numbers or the bare Chinese characters come out. It does not
tell Chinese from Japanese and does not segment words.
"""

from __future__ import annotations

import re

# Unified ideographs with extensions A to H, compatibility ideographs and the round zero.
HAN_CLASS = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_HAN = re.compile(f"[{HAN_CLASS}]")
_LETTER = re.compile(r"[^\W\d_]|\u3007")
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


def han_only(text: str) -> str:
    """Return the Chinese characters alone, in order."""
    return _NOT_HAN.sub("", text)


def is_han(character: str) -> bool:
    """Return whether one character is Chinese."""
    return _HAN.match(character) is not None
