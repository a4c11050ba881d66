"""What a text must hold before a regular expression can match in it.

Compiled patterns come in; out comes, for a text, which of them are worth
running. A pattern's needs are read from its own parsed form: a list of
alternatives, each a list of clauses, each a set of words of which one must
stand in the text. Whatever this reader does not know gives no need, so that
the pattern always runs: a wrong "worth running" costs time, a wrong "not
worth running" would cost a match, and only the first can happen. It never
says that a pattern matches.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from psyllm.text.commonness import share_of
from psyllm.text.many_words import ManyWords
from psyllm.text.traditional import SOMETIMES_CHANGED

# A clause of words this common is met by nearly every message and not worth a look.
_SAYS_LITTLE = 0.06
# More words than this in a run are cut into two clauses; more in a clause make it no need at all.
_MOST_IN_A_RUN = 64
_MOST_IN_A_CLAUSE = 400
_MOST_IN_A_SET = 40
_FEWEST_TOGETHER = 16  # of fewer texts each is looked at alone sooner
# Only what screening leaves as it stands: Chinese characters, small letters, digits.
_STEADY = re.compile(
    f"[a-z0-9]|(?![{''.join(SOMETIMES_CHANGED)}{''.join(SOMETIMES_CHANGED.values())}])[\u4e00-\u9fff]"
)

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()|]", re.DOTALL)

Clause = frozenset[str]
Clauses = tuple[Clause, ...]


class Needs(NamedTuple):
    """Alternatives of which one must be met; one without clauses is always met."""

    alternatives: tuple[Clauses, ...]


class _Known(NamedTuple):
    """What a part of a pattern can be (all of it, or None) and what a match of it needs besides."""

    exact: Clause | None
    clauses: Clauses = ()


_ANYTHING = _Known(None)
_EMPTY = _Known(frozenset([""]))


def needs_of(pattern: re.Pattern[str]) -> Needs:
    """Return what every text needs in which the pattern matches something."""
    if pattern.flags & ~re.UNICODE:
        return Needs(((),))
    parser: Any = importlib.import_module("re._parser")
    items = tuple(parser.parse(pattern.pattern, pattern.flags))
    return Needs(tuple(_alternatives(items)))


def ways_of(pattern: re.Pattern[str]) -> tuple[re.Pattern[str], ...]:
    """Return the pattern's outermost alternatives, each compiled alone, in order.

    Where taking it apart could change what matches, the pattern itself is the only way.
    """
    parser: Any = importlib.import_module("re._parser")
    source = pattern.pattern
    may_be_empty = parser.parse(source, pattern.flags).getwidth()[0] == 0
    if pattern.flags != re.UNICODE or pattern.groups or may_be_empty:
        return (pattern,)
    bars = [token.start() for token, depth in _tokens(source) if token.group() == "|" and depth == 0]
    if not bars:
        return (pattern,)
    starts, ends = [0, *(bar + 1 for bar in bars)], [*bars, len(source)]
    return tuple(re.compile(source[start:end]) for start, end in zip(starts, ends, strict=True))


def _tokens(source: str) -> Iterator[tuple[re.Match[str], int]]:
    """Yield the parentheses, bars, classes and escapes of a pattern, and how deep each stands."""
    depth = 0
    for token in _TOKEN.finditer(source):
        depth -= token.group() == ")"
        yield token, depth
        depth += token.group() == "("


class Gate:
    """Says of many patterns at once which of them a text may match; made once, used for every text."""

    def __init__(self, needs: Sequence[Needs]) -> None:
        self._always = 0
        bits: dict[str, dict[tuple[re.Pattern[str], ...], int]] = {}
        for number, need in enumerate(needs):
            if not all(need.alternatives):
                self._always |= 1 << number
                continue
            for clauses in need.alternatives:
                first, *others = sorted(clauses, key=_cost)
                rare = tuple(_one_of(clause) for clause in others if _cost(clause) < _SAYS_LITTLE)
                for word in first:
                    by_others = bits.setdefault(word, {})
                    by_others[rare] = by_others.get(rare, 0) | 1 << number
        self._speakers = {
            word: tuple(_Speaker(spoken, others) for others, spoken in by_others.items())
            for word, by_others in bits.items()
        }
        self._by_anchor: dict[str, list[str]] = {}
        for word in bits:
            self._by_anchor.setdefault(min(word, key=share_of), []).append(word)
        anchors = "".join(sorted(self._by_anchor))
        self._anchors = re.compile(f"[{anchors}]" if anchors else "(?!)")

    def numbers(self, text: str) -> list[int]:
        """Return in order the numbers of the patterns that may match in the text; the others do not."""
        anchors = set(self._anchors.findall(text))
        words = [word for anchor in anchors for word in self._by_anchor[anchor] if word in text]
        return self._spoken(words, text)

    def numbers_of(self, texts: Sequence[str]) -> list[list[int]]:
        """Return `numbers` of each text, looked for in all of them at once: the quicker way for many."""
        if len(texts) < _FEWEST_TOGETHER:
            return list(map(self.numbers, texts))
        return list(map(self._spoken, self._words.found(texts), texts))

    @functools.cached_property
    def _words(self) -> ManyWords:
        return ManyWords(self._speakers)

    def _spoken(self, words: Sequence[str], text: str) -> list[int]:
        """Return what these words speak for, all of them being in the text."""
        found = self._always
        for word in words:
            for bits, others in self._speakers[word]:
                if found & bits != bits and all(other.search(text) for other in others):
                    found |= bits
        return list(_bits(found)) if found else []


class _Speaker(NamedTuple):
    """Patterns, as bits, and what else has to stand in the text for them."""

    bits: int
    others: tuple[re.Pattern[str], ...]


def _bits(found: int) -> Iterator[int]:
    while found:
        lowest = found & -found
        yield lowest.bit_length() - 1
        found ^= lowest


@functools.cache
def _one_of(clause: Clause) -> re.Pattern[str]:
    # Each branch begins with a plain character, so that the search skips to such characters.
    return re.compile("|".join(sorted(clause)))


def _cost(clause: Clause) -> float:
    return sum(map(share_of, clause))


def _alternatives(items: tuple[Any, ...]) -> Iterator[Clauses]:
    """Yield the clauses of each way through the pattern, where its one part with a width is a choice."""
    wide = [number for number, (kind, _) in enumerate(items) if str(kind) not in _WITHOUT_WIDTH]
    inner = _opened(items[wide[0]]) if len(wide) == 1 else None
    if inner is None:
        yield _as_clauses(_sequence(items))
        return
    before, after = items[: wide[0]], items[wide[0] + 1 :]
    for branch in inner:
        around = _as_clauses(_sequence(before)) + _as_clauses(_sequence(after))
        for clauses in _alternatives(branch):
            yield clauses + around


def _opened(item: tuple[Any, Any]) -> list[tuple[Any, ...]] | None:
    """Return the ways through a choice or a plain group; None for anything else."""
    kind, value = item
    if str(kind) == "BRANCH":
        return [tuple(branch) for branch in value[1]]
    if str(kind) == "SUBPATTERN" and not value[1] and not value[2]:
        return [tuple(value[3])]
    return None


def _as_clauses(known: _Known) -> Clauses:
    return known.clauses + (() if known.exact is None else _clause(known.exact))


def _clause(words: Iterable[str]) -> Clauses:
    """Return the clause that one of these words stands in the text, or none where that says nothing."""
    shortest: list[str] = []
    for word in sorted(set(words), key=lambda word: (len(word), word)):
        if not any(known in word for known in shortest):
            shortest.append(word)
    if not shortest or "" in shortest or len(shortest) > _MOST_IN_A_CLAUSE:
        return ()
    return (frozenset(shortest),)


def _sequence(items: Sequence[Any]) -> _Known:
    clauses: Clauses = ()
    run: Clause = frozenset([""])
    whole = True
    for item in items:
        known = _item(item)
        clauses += known.clauses
        joined = None if known.exact is None else frozenset(a + b for a in run for b in known.exact)
        if joined is not None and len(joined) <= _MOST_IN_A_RUN:
            run = joined
            continue
        whole = False
        clauses += _clause(run)
        run = frozenset([""]) if known.exact is None else known.exact
    if whole:
        return _Known(run, clauses)
    return _Known(None, clauses + _clause(run))


def _item(item: tuple[Any, Any]) -> _Known:
    kind, value = item
    reader = _READERS.get(str(kind))
    return _ANYTHING if reader is None else reader(value)


def _literal(code: int) -> _Known:
    character = chr(code)
    return _Known(frozenset([character])) if _STEADY.match(character) else _ANYTHING


def _set(members: Iterable[tuple[Any, Any]]) -> _Known:
    characters: set[str] = set()
    for kind, value in members:
        if str(kind) not in {"LITERAL", "RANGE"}:
            return _ANYTHING
        first, last = (value, value) if str(kind) == "LITERAL" else value
        if last - first >= _MOST_IN_A_SET:
            return _ANYTHING
        ways = [_literal(code).exact for code in range(first, last + 1)]
        if None in ways:
            return _ANYTHING
        characters.update(*(way for way in ways if way is not None))
    return _Known(frozenset(characters))


def _choice(value: tuple[Any, ...]) -> _Known:
    branches = [_sequence(branch) for branch in value[1]]
    words: set[str] = set()
    if all(branch.exact is not None for branch in branches):
        exact = frozenset().union(*(branch.exact or () for branch in branches))
        if len(exact) <= _MOST_IN_A_RUN:
            return _Known(exact)
    for branch in branches:
        clauses = _as_clauses(branch)
        if not clauses:
            return _ANYTHING
        rarest: Clause = min(clauses, key=_cost)
        words |= rarest
    return _Known(None, _clause(words))


def _group(value: tuple[Any, ...]) -> _Known:
    return _ANYTHING if value[1] or value[2] else _sequence(value[3])


def _repeat(value: tuple[Any, ...]) -> _Known:
    fewest, most, part = value
    if fewest == 0:
        inner = _sequence(part) if most == 1 else _ANYTHING
        return _ANYTHING if inner.exact is None else _Known(inner.exact | {""})
    inner = _sequence(part)
    return inner if fewest == most == 1 else _Known(None, _as_clauses(inner))


def _look(value: tuple[Any, ...]) -> _Known:
    return _Known(_EMPTY.exact, _as_clauses(_sequence(value[1])))


def _no_width(_: object) -> _Known:
    return _EMPTY


_WITHOUT_WIDTH = frozenset(["ASSERT", "ASSERT_NOT", "AT"])
_READERS: dict[str, Callable[[Any], _Known]] = {
    "LITERAL": _literal,
    "IN": _set,
    "BRANCH": _choice,
    "SUBPATTERN": _group,
    "MAX_REPEAT": _repeat,
    "MIN_REPEAT": _repeat,
    "ASSERT": _look,
    "ASSERT_NOT": _no_width,
    "AT": _no_width,
}
