"""One form for what is written in several: simplified characters, half-width letters, digits.

Text comes in, a copy of the same length goes out, so that a place in the copy
is a place in the text. The copies are for looking only (personal data); what
is kept goes through `fold.py`. Phrases are not looked at: a character that
has two simplified forms gets the commoner one.
"""

from __future__ import annotations

import functools
import re
import unicodedata

import opencc

from psyllm.text.traditional import character_class

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
_CHINESE_DIGITS = tuple(zip("〇零一二三四五六七八九幺", "001234567891", strict=True))
_CHINESE_DIGIT = re.compile("[〇零一二三四五六七八九幺]")
# Of the scripts outside the basic plane only the mathematical digits: each range there is asked for
# every character.
_SCRIPTS = (range(0x80, 0x10000), range(0x1D7CE, 0x1D800))
# What numbers a list or a note (①, ⒈, ²) or fills a cheque (壹, and 陆 is a surname) is a digit
# among digits only. Of the basic plane, for the same reason.
_NUMBERING = "²-³¹-¹⁰-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪-⓪⓵-⓽⓿-⓿❶-❾➀-➈➊-➒㈠-㈨㊀-㊈"
_MARKED_DIGITS = {
    code: str(int(unicodedata.numeric(chr(code))))
    for first, last in zip(_NUMBERING[::3], _NUMBERING[2::3], strict=True)
    for code in range(ord(first), ord(last) + 1)
    if unicodedata.numeric(chr(code), None) is not None
} | dict(zip(map(ord, "壹贰叁肆伍陆柒捌玖"), "123456789", strict=True))
_MARKED_DIGIT = re.compile(f"[{character_class(frozenset(map(chr, _MARKED_DIGITS)))}]")
_DIGIT_RUN = re.compile(
    rf"(?:[0-9]|{_MARKED_DIGIT.pattern})(?:[^\w\n]{{0,3}}(?:[0-9]|{_MARKED_DIGIT.pattern})){{6,}}"
)
# The dash of a range, written with the character for one: 13800一13900.
_DASH = re.compile(
    "一(?<=[0-9]一)(?:(?<=(?<![0-9])[0-9]{5}一)(?=[0-9]{5}(?![0-9]))|(?=[0-9.]{1,8} ?[元块万千百年岁分斤]))"
)


def plain_form(text: str) -> str:
    """Return the text in simplified characters, half-width letters and the digits 0 to 9, place for place."""
    table, any_of_them = _table()
    return text.translate(table) if any_of_them.search(text) else text


def plain_digits(text: str) -> str:
    """Return the text with every Chinese digit (零 to 九, 〇, 幺) as 0 to 9, place for place.

    Numbers of lists (①, ⒈), notes (²) and cheques (壹) become digits where at least seven digits stand together.
    """
    if _CHINESE_DIGIT.search(text):
        text = _DASH.sub("-", text)
        for chinese, digit in _CHINESE_DIGITS:  # several times as fast as `translate`
            text = text.replace(chinese, digit)
    if _MARKED_DIGIT.search(text):
        text = _DIGIT_RUN.sub(lambda run: run[0].translate(_MARKED_DIGITS), text)
    return text


@functools.cache
def _table() -> tuple[dict[int, str], re.Pattern[str]]:
    characters = [chr(code) for code in range(_FIRST_HAN, _LAST_HAN + 1)]
    converted = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    table = {
        ord(old): new for old, new in zip(characters, converted, strict=True) if new != old and len(new) == 1
    }
    table |= {wide: chr(narrow) for wide, narrow in _WIDE_TO_NARROW.items()}
    values = ((code, unicodedata.decimal(chr(code), None)) for codes in _SCRIPTS for code in codes)
    table |= {code: str(value) for code, value in values if value is not None}
    return table, re.compile(f"[{character_class(frozenset(map(chr, table)))}]")
