"""Which characters OpenCC's `tw2s` may change: gates before a conversion.

No text comes in but to `converted`; sets of characters come out, taken from
OpenCC itself once a process. A text that holds none of `may_change()` is left
alone by the conversion, whatever its phrases: every key of OpenCC's
dictionaries that changes anything holds one of them, which a test reads out of
the dictionaries. Whether a text should be converted is decided elsewhere.
"""

from __future__ import annotations

import functools
import re

import opencc

# Where characters are that a dictionary of OpenCC may name: radicals, kana and Han, compatibility
# forms, the planes 2 and 3.
_RANGES = ((0x2E80, 0xA000), (0xF900, 0xFB00), (0x20000, 0x323B0))
# Left alone as single characters and changed inside some phrases (答覆, 瞭解, 毛坏, 辛秘).
CHANGED_IN_PHRASES = frozenset("沈坏藉秘哩覆衹瞭甦")
# Everyday characters that change in few places (alone, 打坏, 胤秘), and into what: too common to
# be stopped at, so what reads an unconverted text must not lean on them.
SOMETIMES_CHANGED = {"么": "幺", "坏": "坯", "秘": "祕"}


def converted(text: str) -> str:
    """Return what OpenCC's `tw2s` makes of the text."""
    result: str = _converter().convert(text)
    return result


@functools.cache
def changed_alone() -> frozenset[str]:
    """Return the characters that the conversion changes when they stand alone."""
    characters = [chr(code) for first, end in _RANGES for code in range(first, end)]
    after = converted("\n".join(characters)).split("\n")
    return frozenset(old for old, new in zip(characters, after, strict=True) if old != new)


@functools.cache
def may_change() -> frozenset[str]:
    """Return the characters of which every text that the conversion changes holds at least one."""
    return changed_alone() | CHANGED_IN_PHRASES


@functools.cache
def may_change_pattern() -> re.Pattern[str]:
    """Return what finds a character of `may_change()`; outside the basic plane it stops at every Han character.

    Ranges outside the basic plane are tried one after the other, which makes a hundred of them slow.
    """
    basic = frozenset(character for character in may_change() if character <= "\uffff")
    return re.compile(f"[{character_class(basic)}\U00020000-\U000323af]")


@functools.cache
def traditional_only() -> frozenset[str]:
    """Return the characters that the conversion changes and that simplified writing does not have (GB 2312)."""
    return frozenset(character for character in changed_alone() if not _is_simplified(character))


def character_class(characters: frozenset[str]) -> str:
    """Return the characters as ranges for the inside of a regular expression's class."""
    codes = sorted(map(ord, characters))
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def _is_simplified(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


@functools.cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("tw2s")
