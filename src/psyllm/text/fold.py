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
import re
import tomllib
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import opencc

from psyllm.text.han import HAN_CLASS
from psyllm.text.offsets import Edit, Offsets, substitute

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


class Folded(NamedTuple):
    """A changed text and the way of its characters."""

    text: str
    offsets: Offsets


class _Disguise(NamedTuple):
    pattern: re.Pattern[str]
    means: str


def clean_text(text: str) -> Folded:
    """Return the text as it is kept; cleaning twice changes nothing more."""
    composed = _compose(Folded(text, Offsets()))
    tidy = _apply(composed, _UNTIDY, _tidied)
    return _compose(_apply(tidy, _ENDS, _nothing))


def screening_fold(text: str) -> Folded:
    """Return a throw-away copy in which disguised danger words are written out."""
    hidden, disguises = _tables()
    folded = _apply(Folded(text, Offsets()), _INVISIBLE, _nothing)
    folded = _apply(folded, _COMPATIBLE, _plain)
    folded = _apply(folded, _MARKS, _nothing)
    folded = _apply(folded, _SPACES, _space)
    folded = folded._replace(text=_simplified(folded.text))
    folded = _apply(folded, _SPACED_OUT, _closed_up)
    folded = _apply(folded, hidden, _closed_up)
    for disguise in disguises:
        folded = _apply(folded, disguise.pattern, functools.partial(_means, disguise.means))
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
    return unicodedata.normalize("NFKD", match.group()).lower()


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
    converter = _converter()
    simplified: str = converter.convert(text)
    if len(simplified) == len(text):
        return simplified
    # A phrase changed its length; character by character the offsets stay right.
    return "".join(_same_length(character, converter.convert(character)) for character in text)


def _same_length(character: str, converted: str) -> str:
    return converted if len(converted) == 1 else character


@functools.cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("tw2s")


@functools.cache
def _tables() -> tuple[re.Pattern[str], tuple[_Disguise, ...]]:
    tables = tomllib.loads(DISGUISES.read_text("utf-8"))
    gap = f"{_SEPARATOR}{{0,3}}"
    words = sorted(tables["split_words"]["words"], key=len, reverse=True)
    hidden = re.compile("|".join(gap.join(word) for word in words))
    return hidden, tuple(_Disguise(re.compile(row["pattern"]), row["means"]) for row in tables["disguises"])
