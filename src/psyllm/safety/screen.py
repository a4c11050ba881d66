"""Screening: how great is the danger in what a visitor wrote?

A visitor's turns come in, oldest first; a level with the rules that spoke
comes out. Every turn of the dialogue is looked at every time, on a folded
copy, and the level of the dialogue is the highest of them: it rises and never
falls by itself. Reasons name rules and places, never words. Any failure is
raised to the caller; there is no way through here that turns a fault into
"no danger". What is done about a level is decided in serve; what the patterns
are stands in lexicon.toml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from psyllm.safety.levels import About, Level
from psyllm.safety.lexicon import Lexicon, Quiet, Rule, load_lexicon
from psyllm.safety.patterns import sentence_around, sentence_before
from psyllm.text.fold import Folded, screening_fold, stands_as_it_is

# Somebody who writes one word a message ("我" "想" "死") is read as one sentence.
_SHORT_TURN_CHARS = 6
_MOST_JOINED_TURNS = 4
_BLANK = "□"
# After these words another person is not the one who speaks or suffers ("被他甩了想死").
_NOT_SUBJECT = re.compile(
    r"(?:被|让|因为|和|跟|与|离开|恨|爱|为了?|对|给|怕|受不了|讨厌|面对|没有|失去|想|不在|是)$"
)
_Known = Mapping[str, list[int]]
_SWALLOWS = re.compile("[吃吞喝服灌磕]")


class Reason(NamedTuple):
    """A rule that spoke and where in the last turn; `start:end` is `0:0` for an earlier turn."""

    rule: str
    level: Level
    about: About
    start: int
    end: int


class Screening(NamedTuple):
    """The level of the dialogue, that of its last turn, and why."""

    level: Level
    message_level: Level
    reasons: tuple[Reason, ...]
    lexicon_version: str

    @property
    def may_generate(self) -> bool:
        """Whether a model may write to this visitor."""
        return self.level < Level.RISK

    @property
    def needs_case(self) -> bool:
        """Whether a counsellor has to look."""
        return self.level >= Level.RISK

    @property
    def shows_help(self) -> bool:
        """Whether the help card is shown with the reply."""
        return self.level >= Level.RISK

    @property
    def help_first(self) -> bool:
        """Whether the help card comes before everything else."""
        return self.level >= Level.URGENT


def screen(turns: Sequence[str]) -> Screening:
    """Return the screening of a dialogue's visitor turns, oldest first, the new one last.

    Raises:
        ValueError: there is no turn; nothing to look at must not read as no danger.
    """
    [screening] = screen_all([turns])
    return screening


def screen_all(dialogues: Sequence[Sequence[str]]) -> list[Screening]:
    """Return what `screen` returns of each dialogue; most of many are told from a look at all of them at once.

    Raises:
        ValueError: a dialogue has no turn.
    """
    if not all(dialogues):
        raise ValueError("screening needs at least one turn")
    lexicon = load_lexicon()
    known = _ways_of_turns(dialogues, lexicon)
    return [_screened(turns, known, lexicon) for turns in dialogues]


def _ways_of_turns(dialogues: Sequence[Sequence[str]], lexicon: Lexicon) -> _Known:
    """Return for each turn that stands as it is which ways have to be tried on it."""
    standing = [turn for turns in dialogues for turn in _standing(turns)]
    return dict(zip(standing, lexicon.way_gate.numbers_of(standing), strict=True))


def _standing(turns: Sequence[str]) -> Sequence[str]:
    """Return the turns that the fold leaves as they are, together where one look tells."""
    if len(turns) > 1 and stands_as_it_is("\n".join(turns)):
        return turns
    return [turn for turn in turns if stands_as_it_is(turn)]


def _screened(turns: Sequence[str], known: _Known, lexicon: Lexicon) -> Screening:
    earlier = [
        reason for number in range(len(turns) - 1) for reason in _turn_reasons(turns, number, known, lexicon)
    ]
    own = _turn_reasons(turns, len(turns) - 1, known, lexicon)
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


def _turn_reasons(turns: Sequence[str], number: int, known: _Known, lexicon: Lexicon) -> list[Reason]:
    """Return the reasons of one turn, read alone and joined to short ones right before it."""
    turn = turns[number]
    reasons = _text_reasons(turn, known.get(turn), lexicon)
    one_line = _short_lines_joined(turn)
    if one_line != turn:
        reasons += _further_reasons(one_line, turn, reasons, lexicon)
    if number > 0 and _is_short(turn):
        first = number
        while first > 0 and number - first < _MOST_JOINED_TURNS - 1 and _is_short(turns[first - 1]):
            first -= 1
        if first < number:
            reasons += _further_reasons("".join(turns[first : number + 1]), turn, reasons, lexicon)
    return reasons


def _further_reasons(joined: str, turn: str, known: Sequence[Reason], lexicon: Lexicon) -> list[Reason]:
    """Return what the joined reading adds; its places are lost, so the whole turn stands for them."""
    rules = {reason.rule for reason in known}
    found = [reason for reason in _text_reasons(joined, None, lexicon) if reason.rule not in rules]
    return [reason._replace(start=0, end=len(turn)) for reason in found]


def _short_lines_joined(turn: str) -> str:
    """Close up short lines that follow each other: one word a line, or a title that its details go on with."""
    lines = turn.splitlines()
    if lines == [turn]:
        return turn
    joined = ""
    short_before = False
    for line in lines:
        short = _is_short(line)
        joined += ("" if short and short_before else "\n" if joined else "") + line
        short_before = short
    return joined


def _is_short(turn: str) -> bool:
    return 0 < len(turn.strip()) <= _SHORT_TURN_CHARS


def _text_reasons(text: str, numbers: list[int] | None, lexicon: Lexicon) -> list[Reason]:
    """Return the reasons of a text; `numbers` are the ways to try on it, if it is known to stand as it is."""
    as_written = numbers is not None or stands_as_it_is(text)
    if as_written and numbers is None:
        numbers = lexicon.way_gate.numbers(text)
    if as_written and not numbers:
        return []
    folded = screening_fold(text, stands=as_written)
    seen = folded.text
    if not as_written:
        numbers = lexicon.way_gate.numbers(seen)
    ways: dict[int, list[re.Pattern[str]]] = {}
    for number in numbers or ():
        ways.setdefault(lexicon.ways[number].rule, []).append(lexicon.ways[number].pattern)
    for number in lexicon.quiet_gate.numbers(seen) if ways else ():
        seen = _blanked(seen, lexicon.quiet[number])
    matches = ((rule, _first_match(lexicon.rules[rule], patterns, seen)) for rule, patterns in ways.items())
    return [
        _reason(lexicon.rules[rule], match, folded, lexicon) for rule, match in matches if match is not None
    ]


def _blanked(text: str, quiet: Quiet) -> str:
    if quiet.unless is not None and quiet.unless.search(text):
        return text
    return quiet.pattern.sub(lambda match: _BLANK * len(match.group()), text)


def _first_match(rule: Rule, ways: Sequence[re.Pattern[str]], text: str) -> re.Match[str] | None:
    for match in _matches(ways, text):
        if rule.unless is None or not rule.unless.search(sentence_around(text, match.start(), match.end())):
            return match
    return None


def _matches(ways: Sequence[re.Pattern[str]], text: str) -> Iterator[re.Match[str]]:
    """Yield what one pattern of these alternatives would match: the leftmost, and of these the first way's."""
    if len(ways) == 1:
        yield from ways[0].finditer(text)
        return
    start = 0
    while found := [match for way in ways if (match := way.search(text, start)) is not None]:
        match = min(found, key=re.Match.start)  # of equals the first
        yield match
        start = match.end()


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
