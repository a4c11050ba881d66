"""One form for what is written in several: simplified characters, half-width letters, digits.

Text comes in, a copy of the same length goes out, so that a place in the copy
is a place in the text. The copies are for looking only (personal data); what
is kept goes through `fold.py`. Phrases are not looked at: a character that
has two simplified forms gets the commoner one.
"""

from __future__ import annotations

import functools
import re

import opencc

_FIRST_HAN, _LAST_HAN = 0x4E00, 0x9FFF
_WIDE_TO_NARROW = {
    **{0xFF10 + digit: 0x30 + digit for digit in range(10)},
    **{
        wide: wide - 0xFEE0
        for first, last in ((0xFF21, 0xFF3A), (0xFF41, 0xFF5A))
        for wide in range(first, last + 1)
    },
    **{ord(wide): ord(wide) - 0xFEE0 for wide in "\uff20\uff0e\uff0d\uff3f\uff03\uff0b"},
}
_CHINESE_DIGITS = dict(zip(map(ord, "〇零一二三四五六七八九幺"), b"001234567891", strict=True))
_CHINESE_DIGIT = re.compile("[〇零一二三四五六七八九幺]")


def plain_form(text: str) -> str:
    """Return the text in simplified characters and half-width letters and digits, place for place."""
    table, any_of_them = _table()
    return text.translate(table) if any_of_them.search(text) else text


def plain_digits(text: str) -> str:
    """Return the text with every Chinese digit (零 to 九, 〇, 幺) as 0 to 9, place for place."""
    return text.translate(_CHINESE_DIGITS) if _CHINESE_DIGIT.search(text) else text


@functools.cache
def _table() -> tuple[dict[int, str], re.Pattern[str]]:
    characters = [chr(code) for code in range(_FIRST_HAN, _LAST_HAN + 1)]
    converted = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    table = {
        ord(old): new for old, new in zip(characters, converted, strict=True) if new != old and len(new) == 1
    }
    table |= {wide: chr(narrow) for wide, narrow in _WIDE_TO_NARROW.items()}
    return table, re.compile(f"[{''.join(map(chr, table))}]")
