"""The guard: may this generated text be shown to a person in need?

The whole text so far comes in before each sentence is released, with the visitor's
words where they are known; a verdict with the names of the rules that failed comes
out, never the words. Rules of speech and the disorders that nobody may name unasked
stand in `guard.toml`; rules of form (numbers, script, loops, length, ending) stand
here. The guard does not judge whether an answer is good, and passing it does not make
a text reviewed. It keeps nothing of what a visitor said.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from psyllm.safety.directory import numbers
from psyllm.safety.fluency import unreadable
from psyllm.safety.patterns import compile_pattern, sentence_around
from psyllm.text.fold import screening_fold
from psyllm.text.han import han_count, han_only, han_share_of_letters, letter_count
from psyllm.text.ngrams import char_ngrams
from psyllm.text.sentences import ends_complete, split_sentences

GUARD = Path(__file__).parent / "guard.toml"
UNASKED = "unasked-disorder"

_FEWEST_HAN = 15  # the shortest answer that says anything; the shortest of the bundled ones has over 100
_JUDGED_FROM_HAN = 12  # shares of fewer characters mean nothing
_LEAST_HAN_SHARE = 0.75
# Of 42,901 real counsellor turns 99.9 % had at least .92 of their characters among the 3,755
# commonest (GB 2312, level 1); a broken tokenizer or an untrained model has far fewer.
_LEAST_COMMON_SHARE = 0.8
_LOOP = re.compile(r"([^\W\d_].{1,29}?)\1{2,}|([^\W\d_])\2{4,}", re.DOTALL)
_LONG_SENTENCE_CHARS = 8
_LEAST_DISTINCT_SHARE = 0.55  # of runs of four characters, once there are enough of them
_ENOUGH_RUNS = 80
_NUMBER = re.compile(r"\+?[0-9](?:[-  ()]{0,2}[0-9]){2,}")
_DIAL = re.compile(r"(?:拨打?|致电|电话|热线|号码|打|联系|拨通|call)[^。!?\n]{0,12}$")
_DIAL_REACH = 16  # the longest that _DIAL matches
_SPELT_NUMBER = re.compile(
    r"(?:拨打?|致电|电话|热线|号码|打)[^。!?\n]{0,8}?([〇零一二两三四五六七八九幺壹贰叁肆伍陆柒捌玖]{3,})"
)
_SPELT_DIGITS = str.maketrans("〇零一二两三四五六七八九幺壹贰叁肆伍陆柒捌玖", "0012234567891123456789")
_LONG_NUMBER_DIGITS = 7


class Verdict(NamedTuple):
    """Whether the text passed, and the names of the rules that it failed."""

    passed: bool
    reasons: tuple[str, ...]


class GuardRule(NamedTuple):
    """Something that a generated text must never say."""

    id: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    unless_asked: re.Pattern[str] | None


class Disorder(NamedTuple):
    """A disorder by the names that an answer gives it; `asked` by those that a visitor may use as well."""

    id: str
    named: re.Pattern[str]
    asked: re.Pattern[str]


def check(text_so_far: str, *, final: bool, asked: str | None = None) -> Verdict:
    """Return the verdict on a growing text; `final` also asks for enough text and a finished sentence.

    `asked` is all that the visitor said; where it is not known, naming a disorder is judged as if it was asked about,
    and abuse by a relative as if nobody had told of it.
    """
    seen = screening_fold(text_so_far).text
    reasons = [rule.id for rule in load_guard() if _says(rule, seen) and not _was_told(rule, asked)]
    if asked is not None and _names_unasked(seen, asked):
        reasons.append(UNASKED)
    reasons += [name for name, fails in _FORMS if fails(seen)]
    reasons += unreadable(text_so_far, final=final)
    if final:
        reasons += _unfinished(text_so_far)
    return Verdict(not reasons, tuple(reasons))


@functools.cache
def load_guard() -> tuple[GuardRule, ...]:
    """Return the compiled rules of speech."""
    tables = tomllib.loads(GUARD.read_text("utf-8"))
    parts = tables["parts"]
    return tuple(
        GuardRule(
            row["id"],
            compile_pattern(row["pattern"], parts),
            *(compile_pattern(row[key], parts) if key in row else None for key in ("unless", "unless_asked")),
        )
        for row in tables["rules"]
    )


@functools.cache
def load_disorders() -> tuple[Disorder, ...]:
    """Return the compiled names of disorders."""
    tables = tomllib.loads(GUARD.read_text("utf-8"))
    parts = tables["parts"]
    return tuple(
        Disorder(row["id"], compile_pattern(row["named"], parts), compile_pattern(row["asked"], parts))
        for row in tables["disorders"]
    )


def names_contact(text: str) -> bool:
    """Whether a text names a telephone number that is not in the directory, or another way to reach somebody."""
    seen = screening_fold(text).text
    contact = next(rule for rule in load_guard() if rule.id == "advert-or-contact")
    return _names_unknown_number(seen) or _says(contact, seen)


def breaks(text: str, rules: frozenset[str]) -> bool:
    """Whether a text says what one of these rules of speech refuses; the other rules are not looked at."""
    seen = screening_fold(text).text
    return any(_says(rule, seen) for rule in load_guard() if rule.id in rules)


def _says(rule: GuardRule, seen: str) -> bool:
    if rule.unless is None:
        return rule.pattern.search(seen) is not None
    # A set: a sentence with many matches must not be read again for each of them.
    said = {sentence_around(seen, match.start(), match.end()) for match in rule.pattern.finditer(seen)}
    return any(rule.unless.search(sentence) is None for sentence in said)


def _was_told(rule: GuardRule, asked: str | None) -> bool:
    if rule.unless_asked is None or asked is None:
        return False
    return rule.unless_asked.search(screening_fold(asked).text) is not None


def _names_unasked(seen: str, asked: str) -> bool:
    named = [disorder for disorder in load_disorders() if disorder.named.search(seen)]
    if not named:  # nearly always: the visitor's words need not be folded for each sentence
        return False
    said = screening_fold(asked).text
    return any(not (one.named.search(said) or one.asked.search(said)) for one in named)


def _unfinished(text: str) -> list[str]:
    if han_count(text) < _FEWEST_HAN:
        return ["too-short"]
    return [] if ends_complete(text) else ["ends-mid-sentence"]


def _names_unknown_number(seen: str) -> bool:
    known = numbers()
    for match in _NUMBER.finditer(seen):
        digits = re.sub(r"\D", "", match.group())
        dialled = (
            len(digits) >= _LONG_NUMBER_DIGITS
            or _DIAL.search(seen[max(match.start() - _DIAL_REACH, 0) : match.start()]) is not None
        )
        if dialled and digits not in known and not _is_amount(seen, match):
            return True
    return any(match[1].translate(_SPELT_DIGITS) not in known for match in _SPELT_NUMBER.finditer(seen))


def _is_amount(seen: str, match: re.Match[str]) -> bool:
    return re.match(r" ?(?:年|元|块|人|步|字|天|次|个|分|岁|小时|%|米|公里)", seen[match.end() :]) is not None


def _is_not_chinese(seen: str) -> bool:
    return letter_count(seen) >= _JUDGED_FROM_HAN and han_share_of_letters(seen) < _LEAST_HAN_SHARE


def _is_rare_characters(seen: str) -> bool:
    han = han_only(seen)
    if len(han) < 2 * _JUDGED_FROM_HAN:
        return False
    return sum(map(_is_common, han)) / len(han) < _LEAST_COMMON_SHARE


def _is_common(character: str) -> bool:
    code = character.encode("gb2312", "ignore")
    return len(code) == 2 and 0xB0 <= code[0] <= 0xD7


def _loops(seen: str) -> bool:
    if _LOOP.search(seen):
        return True
    sentences = Counter(sentence.strip() for sentence in split_sentences(seen))
    if any(count > 1 and len(sentence) >= _LONG_SENTENCE_CHARS for sentence, count in sentences.items()):
        return True
    runs = max(len(seen) - 3, 0)
    return runs >= _ENOUGH_RUNS and len(char_ngrams(seen, 4)) / runs < _LEAST_DISTINCT_SHARE


_FORMS = (
    ("unknown-number", _names_unknown_number),
    ("not-chinese", _is_not_chinese),
    ("rare-characters", _is_rare_characters),
    ("loop", _loops),
)
