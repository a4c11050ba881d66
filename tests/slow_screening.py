"""Screening and folding in their first, slow form: every pass and every rule, on every text.

What the fast forms in psyllm.text.fold and psyllm.safety.screen must equal. Kept apart from them, so
that a fault in a gate cannot be in both; only the tables (lexicon, disguises) are shared.
"""

import functools
import re
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

import opencc

from psyllm.safety.levels import Level
from psyllm.safety.lexicon import Lexicon, Quiet, Rule, load_lexicon
from psyllm.safety.patterns import sentence_around, sentence_before
from psyllm.safety.screen import Reason, Screening
from psyllm.text.fold import DISGUISES, Folded
from psyllm.text.han import HAN_CLASS
from psyllm.text.offsets import Edit, Offsets, substitute

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


class _Disguise(NamedTuple):
    pattern: re.Pattern[str]
    means: str


def slow_clean_text(text: str) -> Folded:
    """Return the text as it is kept; cleaning twice changes nothing more."""
    composed = _compose(Folded(text, Offsets()))
    tidy = _apply(composed, _UNTIDY, _tidied)
    return _compose(_apply(tidy, _ENDS, _nothing))


def slow_screening_fold(text: str) -> Folded:
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


# Somebody who writes one word a message ("我" "想" "死") is read as one sentence.
_SHORT_TURN_CHARS = 6
_MOST_JOINED_TURNS = 4
_BLANK = "□"
# After these words another person is not the one who speaks or suffers ("被他甩了想死").
_NOT_SUBJECT = re.compile(
    r"(?:被|让|因为|和|跟|与|离开|恨|爱|为了?|对|给|怕|受不了|讨厌|面对|没有|失去|想|不在|是)$"
)
_SWALLOWS = re.compile("[吃吞喝服灌磕]")


def slow_screen(turns: Sequence[str]) -> Screening:
    """Return the screening of a dialogue's visitor turns, oldest first, the new one last.

    Raises:
        ValueError: there is no turn; nothing to look at must not read as no danger.
    """
    if not turns:
        raise ValueError("screening needs at least one turn")
    lexicon = load_lexicon()
    earlier = [reason for number in range(len(turns) - 1) for reason in _turn_reasons(turns, number, lexicon)]
    own = _turn_reasons(turns, len(turns) - 1, lexicon)
    message_level = _highest(own)
    level = max(message_level, _highest(earlier))
    reasons = list(own)
    if level > message_level:
        # All of them: a friend's danger must not hide the visitor's own of the same level.
        strongest = {reason.rule + reason.about: reason for reason in earlier if reason.level == level}
        reasons += [reason._replace(start=0, end=0) for reason in strongest.values()]
    return Screening(level, message_level, tuple(reasons), lexicon.version)


def _highest(reasons: Sequence[Reason]) -> Level:
    return max((reason.level for reason in reasons), default=Level.NONE)


def _turn_reasons(turns: Sequence[str], number: int, lexicon: Lexicon) -> list[Reason]:
    """Return the reasons of one turn, read alone and joined to short ones right before it."""
    turn = turns[number]
    reasons = _text_reasons(turn, lexicon)
    one_line = _short_lines_joined(turn)
    if one_line != turn:
        reasons += _further_reasons(one_line, turn, reasons, lexicon)
    first = number
    while first > 0 and number - first < _MOST_JOINED_TURNS - 1 and _is_short(turns[first - 1]):
        first -= 1
    if first < number and _is_short(turn):
        reasons += _further_reasons("".join(turns[first : number + 1]), turn, reasons, lexicon)
    return reasons


def _further_reasons(joined: str, turn: str, known: Sequence[Reason], lexicon: Lexicon) -> list[Reason]:
    """Return what the joined reading adds; its places are lost, so the whole turn stands for them."""
    rules = {reason.rule for reason in known}
    found = [reason for reason in _text_reasons(joined, lexicon) if reason.rule not in rules]
    return [reason._replace(start=0, end=len(turn)) for reason in found]


def _short_lines_joined(turn: str) -> str:
    """Close up short lines that follow each other: one word a line, or a title that its details go on with."""
    joined = ""
    short_before = False
    for line in turn.splitlines():
        short = _is_short(line)
        joined += ("" if short and short_before else "\n" if joined else "") + line
        short_before = short
    return joined


def _is_short(turn: str) -> bool:
    return 0 < len(turn.strip()) <= _SHORT_TURN_CHARS


def _text_reasons(text: str, lexicon: Lexicon) -> list[Reason]:
    folded = slow_screening_fold(text)
    seen = folded.text
    for quiet in lexicon.quiet:
        seen = _blanked(seen, quiet)
    reasons = []
    for rule in lexicon.rules:
        match = _first_match(rule, seen)
        if match is not None:
            reasons.append(_reason(rule, match, folded, lexicon))
    return reasons


def _blanked(text: str, quiet: Quiet) -> str:
    if quiet.unless is not None and quiet.unless.search(text):
        return text
    return quiet.pattern.sub(lambda match: _BLANK * len(match.group()), text)


def _first_match(rule: Rule, text: str) -> re.Match[str] | None:
    for match in rule.pattern.finditer(text):
        if rule.unless is None or not rule.unless.search(sentence_around(text, match.start(), match.end())):
            return match
    return None


def _reason(rule: Rule, match: re.Match[str], folded: Folded, lexicon: Lexicon) -> Reason:
    start, end = folded.offsets.old_span(match.start(), match.end())
    about = rule.about
    # Who swallows stands before the verb, which some patterns reach back over.
    head = _SWALLOWS.search(match.group())
    verb = match.start() + (head.start() if head is not None else 0)
    if about == "self" and _speaks_of_another(folded.text, verb, lexicon):
        about = "other"
    return Reason(rule.id, rule.level, about, start, end)


def _speaks_of_another(text: str, start: int, lexicon: Lexicon) -> bool:
    """Whether the last person named in the sentence before `start` is somebody else, as its subject."""
    before = sentence_before(text, start)
    people = list(lexicon.people.finditer(before))
    if not people or people[-1].lastgroup != "third":
        return False
    return _NOT_SUBJECT.search(before[: people[-1].start()]) is None
