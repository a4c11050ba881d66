"""Two ways to even out Chinese text: one to keep, one to throw away.

`clean_text` is for text that is kept: NFC, full-width letters and digits to
ASCII, line breaks and spaces in order, invisible and broken characters gone.
It never uses NFKC, which would turn ，！（） into ASCII in every document.

`screening_fold` is for looking only: compatibility forms to plain ones, lower
case, no invisible or combining characters, simplified characters, spaced-out
writing closed up, letters and look-alikes of the danger words written out
(`disguises.toml`). Its result is thrown away after screening;
`Offsets.old_span` leads back. Neither judges what a text means.
"""

from __future__ import annotations

import functools
import itertools
import re
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from psyllm.text.han import HAN_CLASS
from psyllm.text.needs import Gate, needs_of
from psyllm.text.offsets import Edit, Offsets, substitute
from psyllm.text.traditional import (
    SOMETIMES_CHANGED,
    character_class,
    converted,
    may_change,
    may_change_pattern,
)

DISGUISES = Path(__file__).parent / "disguises.toml"

# Zero-width and direction marks, soft hyphen, control characters, lone surrogates (which no
# file can hold) and non-characters. A joiner inside an emoji is part of it and stays.
_JUNK = (
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff"
)
_JOINER = "(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d"
_SPACE = " \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BREAK = "\n\r\x0b\x0c\x85\u2028\u2029"
_WIDE = "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
_WIDE_TO_NARROW = {
    code: code - 0xFEE0
    for first, last in ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))
    for code in range(first, last + 1)
}
_UNTIDY = re.compile(f"(?:[{_BREAK}{_SPACE}{_JUNK}]|{_JOINER})+|[{_WIDE}]+")
_ENDS = re.compile(r"\A[\n ]+|[\n ]+\Z")
# What clean_text changes wherever it stands; a joiner is looked at more closely.
_NEVER_TIDY = re.compile(f"[{_BREAK[1:]}\t{_SPACE[2:]}{_JUNK}{_WIDE}\u200d]")
_AT_NO_END = ("\n", " ")
_ONE_BREAK = re.compile(f"\r\n|[{_BREAK}]")
_ONE_SPACE = re.compile(f"[{_SPACE}]")

_INVISIBLE = re.compile(f"[{_JUNK}\u200d\ufe00-\ufe0f\u3164\u115f\u1160\uffa0]+")
_COMPATIBLE = re.compile("[^\n\x20-\x40\x5b-\x7e\u3001\u3002\u4e00-\u9fff]")
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_SPACES = re.compile(f"[{_SPACE}]+")
# What people put between the characters of a word to hide it.
_SEPARATOR = r"[ *._\-/|·•・~^+=#@'\"`\\<>…,、。:;!?()\[\]【】&%$]"
_SPACED_OUT = re.compile(
    rf"(?<![{HAN_CLASS}])[{HAN_CLASS}]({_SEPARATOR})\1?[{HAN_CLASS}](?:\1{{1,2}}[{HAN_CLASS}])+"
)
_NOT_HAN = re.compile(f"[^{HAN_CLASS}]+")
# The commonest signs of Chinese text that the fold turns into one ASCII character each.
_WIDE_SIGNS = tuple(zip("，！？：；（）", ",!?:;()", strict=True))
# Where signs are looked for that stand in plain text: ASCII, general punctuation, symbols, CJK and
# full-width signs, emoji. A sign outside makes a text go through every pass, no more.
_SIGN_RANGES = (
    (0x0A, 0x0B), (0x20, 0x7F), (0xA0, 0x100), (0x2010, 0x2040), (0x2190, 0x2800), (0x3000, 0x3040),
    (0xFE10, 0xFE70), (0xFF00, 0xFF66), (0x1F300, 0x1FB00),
)  # fmt: skip
_PLAIN_HAN = frozenset(map(chr, range(0x4E00, 0xA000)))
_LETTER_OR_HAN = re.compile(f"[a-zA-Z{HAN_CLASS}]")
_DIGIT = re.compile("[0-9]")


class Folded(NamedTuple):
    """A changed text and the way of its characters."""

    text: str
    offsets: Offsets


class _Disguise(NamedTuple):
    pattern: re.Pattern[str]
    means: str


class _Tables(NamedTuple):
    """The table of disguises, compiled, and what rules it and the passes before it out."""

    hidden: re.Pattern[str]
    disguises: tuple[_Disguise, ...]
    disguise_gate: Gate
    gap: re.Pattern[str]
    lone: re.Pattern[str]
    hard: re.Pattern[str]
    traditional: re.Pattern[str]


def clean_text(text: str) -> Folded:
    """Return the text as it is kept; cleaning twice changes nothing more."""
    if _is_tidy(text):
        return Folded(text, Offsets())
    composed = _compose(Folded(text, Offsets()))
    tidy = _apply(composed, _UNTIDY, _tidied)
    return _compose(_apply(tidy, _ENDS, _nothing))


def are_tidy(texts: Sequence[str]) -> bool:
    """Return whether clean_text leaves every one of the texts as it is; a "no" may be wrong."""
    return _is_tidy("\n\n".join(texts))  # a break or space at an end of one is one too many behind these


def screening_fold(text: str, *, stands: bool = False) -> Folded:
    """Return a throw-away copy in which disguised danger words are written out.

    Of a text that `stands_as_it_is` nothing has to be written out: `stands` leaves that work out.
    """
    tables = _tables()
    # One character for one: no place moves, so no offsets are needed.
    for wide, narrow in _WIDE_SIGNS:
        text = text.replace(wide, narrow)
    folded = Folded(text, Offsets())
    if not stands and tables.hard.search(text):
        folded = _apply(folded, _INVISIBLE, _nothing)
        folded = _apply(folded, _COMPATIBLE, _plain)
        folded = _apply(folded, _MARKS, _nothing)
        folded = _apply(folded, _SPACES, _space)
    else:
        folded = _apply(folded, _COMPATIBLE, _plain)
        if "  " in folded.text:  # all that is left of white space is the plain space
            folded = _apply(folded, _SPACES, _space)
    if tables.traditional.search(folded.text):
        folded = folded._replace(text=_simplified(folded.text))
    if stands:
        return folded
    if tables.lone.search(folded.text):
        folded = _apply(folded, _SPACED_OUT, _closed_up)
    if tables.gap.search(folded.text):
        folded = _apply(folded, tables.hidden, _closed_up)
    return _undisguised(folded, tables)


def stands_as_it_is(text: str) -> bool:
    """Return whether screening_fold leaves every Chinese character where it stands, but for 么, 坏 and 秘.

    Small letters are in no such text; signs and spaces may still change. "No" may be said of a text that
    would be left alone, never "yes" of one that would not.
    """
    tables = _tables()
    return not (
        tables.hard.search(text)
        or tables.lone.search(text)
        or tables.gap.search(text)
        or tables.disguise_gate.numbers(text)
    )


def _is_tidy(text: str) -> bool:
    """Return whether no pass of clean_text finds anything to change; a "no" may be wrong."""
    return not (
        _NEVER_TIDY.search(text)
        or "  " in text
        or " \n" in text
        or "\n " in text
        or "\n\n\n" in text
        or text[:1] in _AT_NO_END
        or text[-1:] in _AT_NO_END
    ) and unicodedata.is_normalized("NFC", text)


def _undisguised(folded: Folded, tables: _Tables) -> Folded:
    """Write out the disguised words, row by row, so that a row sees what the rows before it wrote."""
    numbers = tables.disguise_gate.numbers(folded.text)
    while numbers:
        number = numbers.pop(0)
        disguise = tables.disguises[number]
        written = _apply(folded, disguise.pattern, functools.partial(_means, disguise.means))
        if written.text != folded.text:
            numbers = [later for later in tables.disguise_gate.numbers(written.text) if later > number]
        folded = written
    return folded


def _apply(folded: Folded, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]) -> Folded:
    text, offsets = substitute(pattern, replace, folded.text)
    return Folded(text, folded.offsets.then(offsets))


def _tidied(match: re.Match[str]) -> str:
    run = match.group()
    if ord(run[0]) in _WIDE_TO_NARROW:
        return run.translate(_WIDE_TO_NARROW)
    breaks = len(_ONE_BREAK.findall(run))
    if breaks:
        return "\n" if breaks == 1 else "\n\n"
    return " " if _ONE_SPACE.search(run) else ""


def _nothing(_: re.Match[str]) -> str:
    return ""


def _space(_: re.Match[str]) -> str:
    return " "


def _plain(match: re.Match[str]) -> str:
    return _plain_text(match.group())


def _plain_text(text: str) -> str:
    return unicodedata.normalize("NFKD", text).lower()


def _closed_up(match: re.Match[str]) -> str:
    return _NOT_HAN.sub("", match.group())


def _means(word: str, _: re.Match[str]) -> str:
    return word


def _compose(folded: Folded) -> Folded:
    """Bring the text to NFC, cluster by cluster so that offsets stay exact."""
    text, offsets = folded
    composed = unicodedata.normalize("NFC", text)
    if composed == text:
        return folded
    edits: list[Edit] = []
    pieces: list[str] = []
    new_start = start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _joins_left(text[end]):
            continue
        cluster = text[start:end]
        piece = unicodedata.normalize("NFC", cluster)
        if piece != cluster:
            # Marks may only change places behind a character that stays as it is.
            same = int(piece[0] == cluster[0])
            edits.append(Edit(start + same, end, new_start + same, new_start + len(piece)))
        pieces.append(piece)
        new_start += len(piece)
        start = end
    if "".join(pieces) != composed:  # a cluster we cut in two: exact offsets are lost for this text
        edits = [Edit(0, len(text), 0, len(composed))]
    return Folded(composed, offsets.then(Offsets((tuple(edits),))))


def _joins_left(character: str) -> bool:
    hangul_vowel_or_tail = "\u1160" <= character <= "\u11ff"
    return unicodedata.combining(character) != 0 or hangul_vowel_or_tail


def _simplified(text: str) -> str:
    simplified = converted(text)
    if len(simplified) == len(text):
        return simplified
    # A phrase changed its length; character by character the offsets stay right.
    return "".join(_same_length(character, converted(character)) for character in text)


def _same_length(character: str, one: str) -> str:
    return one if len(one) == 1 else character


@functools.cache
def _tables() -> _Tables:
    tables = tomllib.loads(DISGUISES.read_text("utf-8"))
    words = sorted(tables["split_words"]["words"], key=len, reverse=True)
    hidden = re.compile("|".join(f"{_SEPARATOR}{{0,3}}".join(word) for word in words))
    disguises = tuple(_Disguise(re.compile(row["pattern"]), row["means"]) for row in tables["disguises"])
    plain, separators = _plain_signs()
    stopped = may_change() - frozenset(SOMETIMES_CHANGED)
    followers: dict[str, set[str]] = {}
    for word in words:
        for first, second in itertools.pairwise(word):
            followers.setdefault(first, set()).add(second)
    separator = f"[{character_class(separators)}]"
    return _Tables(
        hidden,
        disguises,
        Gate([needs_of(disguise.pattern) for disguise in disguises]),
        # White space of any length is one space in the end, so any number of separators.
        gap=re.compile("|".join(f"{a}{separator}+[{''.join(sorted(b))}]" for a, b in followers.items())),
        lone=re.compile(f"{separator}[{HAN_CLASS}]{separator}"),
        hard=re.compile(f"[^{character_class((plain | _PLAIN_HAN) - stopped)}]"),
        traditional=may_change_pattern(),
    )


def _plain_signs() -> tuple[frozenset[str], frozenset[str]]:
    """Return the signs that become signs only, and those of them (and others) that become separators only."""
    separator = re.compile(f"{_SEPARATOR}+")
    plain, separators = set(), set()
    for code in (code for first, end in _SIGN_RANGES for code in range(first, end)):
        sign = chr(code)
        expanded = _plain_text(sign)
        seen = _SPACES.sub(" ", expanded)
        hidden = _INVISIBLE.search(sign) or _MARKS.search(expanded)
        speaks = _LETTER_OR_HAN.search(seen) or (seen != sign and _DIGIT.search(seen))
        if not hidden and not speaks:
            plain.add(sign)
        if separator.fullmatch(seen):
            separators.add(sign)
    return frozenset(plain), frozenset(separators)
