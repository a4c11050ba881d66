"""Is it language at all? A check on what a weak model writes.

A text of whole sentences comes in, growing or finished; the names of what makes
it unreadable come out, or nothing. Rules of layout (blank lines, unpaired
quotation marks …) stand in `fluency.toml`. Word salad is found by a logistic
score over how usual its neighbours are: pairs of word classes, pairs of
characters, places where the grammar breaks. The counts of pairs
(`fluency.npz`) and the weights (`fluency_weights.toml`) are made by
`bench/fluency.py` from dialogues that do not ship; they are numbers only. The
whole text is scored, and every stretch of a few sentences for itself, so that
salad behind good sentences is seen. What a text means, and whether it is true,
kind or fitting, is not looked at.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psyllm.core.starter import starter_records
from psyllm.text.han import is_han
from psyllm.text.parts_of_speech import tagged_words
from psyllm.text.sentences import split_sentences

_HERE = Path(__file__).parent
RULES = _HERE / "fluency.toml"
WEIGHTS = _HERE / "fluency_weights.toml"
TABLES = _HERE / "fluency.npz"

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

START = "^"
OTHER = "?"
LOG_STEPS = 10.0  # tables hold round(LOG_STEPS * ln(1 + count)) in a byte
MEASURES = (
    "class_pmi", "class_log", "class_negative", "class_low", "class_below",
    "unseen", "unseen_in_starter", "pair_pmi", "pair_negative",
    "single_content", "single", "longest_run", "marks", "odd",
)  # fmt: skip
_FIRST_HAN, _HAN_RANGE = 0x4E00, 0x5200  # the unified ideographs; rarer ones are no pair
_SMOOTHING = 50.0
_UNSEEN_COUNT = 0.3
_FEWEST_CHARS = 16  # a shorter text holds too few pairs to be judged
_STRETCH_CHARS = 45  # sentences are scored together until they have so many characters
_LONGEST_OPEN_QUOTE = 120  # a quotation may run over sentences, not over paragraphs or whole answers
_MARK = re.compile(r"[，。、：；“”？！…,:;?!\n]")
_SAME_MARK = str.maketrans(",:?!;()", "，：？！；（）")
_CLOSES = {"”": "“", "》": "《", "）": "（", "』": "『", "」": "「"}


class Rules(NamedTuple):
    """The words and patterns of `fluency.toml`."""

    function_words: frozenset[str]
    odd: tuple[re.Pattern[str], ...]
    layout: tuple[tuple[str, re.Pattern[str]], ...]


@dataclass(frozen=True)
class Tables:
    """How often classes and characters stand side by side, as logarithms.

    `class_log` is ln P(second | first) and `class_pmi` ln of that over P(second),
    both classes x classes; `pair_keys` are sorted, `pair_counts` go with them.
    """

    classes: dict[str, int]
    class_log: Floats
    class_pmi: Floats
    pair_keys: Integers
    pair_counts: Floats
    character_counts: Floats


class Weights(NamedTuple):
    """The fitted score: a measure's weight is `weights`, and `by_length` times the text's length factor."""

    mean: Floats
    scale: Floats
    weights: Floats
    by_length: Floats
    length: float
    bias: float
    whole_limit: float
    stretch_limit: float


def is_readable(text: str) -> bool:
    """Return whether the text of whole sentences can be read as language."""
    return not unreadable(text)


def unreadable(text: str, *, final: bool = False) -> tuple[str, ...]:
    """Return the names of what makes the text unreadable; `final` also asks that quotation marks be closed."""
    reasons = [name for name, pattern in load_rules().layout if pattern.search(text)]
    if _is_unpaired(text, final=final):
        reasons.append("unpaired-quotes")
    if _is_salad(text):
        reasons.append("word-salad")
    return tuple(reasons)


def stretches(text: str) -> Iterator[str]:
    """Yield runs of whole sentences of some tens of characters that cover the text."""
    held = ""
    sentences = split_sentences(text)
    for number, sentence in enumerate(sentences):
        held += sentence
        rest = sum(map(len, sentences[number + 1 :]))
        if len(held) >= _STRETCH_CHARS and (rest >= _STRETCH_CHARS or rest == 0):
            yield held
            held = ""
    if held:
        yield held


def measure(text: str, tables: Tables, leave_out: frozenset[int] = frozenset()) -> tuple[Floats, float]:
    """Return the measures of a text, in the order of `MEASURES`, and its length factor.

    Pairs in `leave_out` count as not in the starter corpus, so that a starter
    text can be measured as if it were new.
    """
    words = tagged_words(text)
    classes = [START, *(name for word, tag in words if (name := word_class(word, tag)))]
    known = [tables.classes.get(name, tables.classes[OTHER]) for name in classes]
    first, second = np.array(known[:-1], dtype=np.int64), np.array(known[1:], dtype=np.int64)
    pmi, log = tables.class_pmi[first, second], tables.class_log[first, second]
    keys = pair_keys(text)
    counts, pair_pmi = _look_up(keys, tables)
    unseen = counts == 0
    starter = starter_pairs()
    unseen_in_starter = [
        bool(new) and (key not in starter or key in leave_out)
        for new, key in zip(unseen, keys.tolist(), strict=True)
    ]
    chinese = [word for word, _ in words if is_han(word[0])]
    singles = [len(word) == 1 for word in chinese]
    function_words = load_rules().function_words
    content = [len(word) == 1 and word not in function_words for word in chinese]
    size = max(len(text), 1)
    values = [
        _mean(pmi), _mean(log), _mean(np.minimum(pmi, 0)), _mean(pmi < -1), _mean(pmi < 0),
        _mean(unseen), _mean(np.array(unseen_in_starter)), _mean(pair_pmi), _mean(np.minimum(pair_pmi, 0)),
        _mean(np.array(content)), _mean(np.array(singles)), _longest_run(singles) / 10,
        len(_MARK.findall(text)) / size, odd_places(text) / size,
    ]  # fmt: skip
    return np.array(values, dtype=np.float64), float(np.sqrt(min(len(first), 80))) / 5


def word_class(word: str, tag: str) -> str:
    """Return a word's class: itself, its mark, or its part of speech and length; empty for a space."""
    if word in load_rules().function_words:
        return word
    if word.isspace():
        return "line" if "\n" in word else ""
    if word[0].isdigit():
        return "digits"
    if is_han(word[0]):
        return f"{tag}{min(len(word), 3)}"
    return word.translate(_SAME_MARK) if len(word) == 1 and not word.isalnum() else OTHER


def pair_keys(text: str) -> Integers:
    """Return a number for every two Chinese characters side by side."""
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.int64) - _FIRST_HAN
    chinese = (codes >= 0) & (codes < _HAN_RANGE)
    beside = chinese[:-1] & chinese[1:]
    return codes[:-1][beside] * _HAN_RANGE + codes[1:][beside]


def odd_places(text: str) -> int:
    """Return how often the grammar breaks in a way that a pattern can see."""
    return sum(len(pattern.findall(text)) for pattern in load_rules().odd)


def score(values: Floats, length: float, weights: Weights) -> float:
    """Return the log odds that the measures are those of word salad."""
    standard = np.clip((values - weights.mean) / weights.scale, -4, 4)
    return float(
        standard @ (weights.weights + weights.by_length * length) + weights.length * length + weights.bias
    )


@functools.cache
def load_rules(path: Path = RULES) -> Rules:
    """Return the words and patterns."""
    table = tomllib.loads(path.read_text("utf-8"))
    return Rules(
        frozenset(table["function_words"].split()),
        tuple(re.compile(pattern) for pattern in table["odd"]),
        tuple((name, re.compile(pattern)) for name, pattern in table["layout"].items()),
    )


@functools.cache
def load_weights(path: Path = WEIGHTS) -> Weights:
    """Return the fitted score."""
    table = tomllib.loads(path.read_text("utf-8"))
    columns = np.array([table["measures"][name] for name in MEASURES], dtype=np.float64).T
    return Weights(columns[0], columns[1], columns[2], columns[3], **table["score"])


@functools.cache
def load_tables(path: Path = TABLES, names: Path = WEIGHTS) -> Tables:
    """Return the counts of pairs."""
    with np.load(path, allow_pickle=False) as stored:
        class_counts = np.expm1(stored["class_pairs"] / LOG_STEPS)
        keys = np.cumsum(stored["key_steps"].astype(np.int64))
        pair_counts = np.expm1(stored["pair_counts"] / LOG_STEPS)
    classes = tomllib.loads(names.read_text("utf-8"))["classes"]
    return make_tables({name: number for number, name in enumerate(classes)}, class_counts, keys, pair_counts)


def make_tables(classes: dict[str, int], class_counts: Floats, keys: Integers, pair_counts: Floats) -> Tables:
    """Return tables from counts: `class_counts` is classes x classes, `keys` are sorted."""
    share = (class_counts.sum(axis=0) + 0.5) / class_counts.sum()
    log = np.log((class_counts + _SMOOTHING * share) / (class_counts.sum(axis=1, keepdims=True) + _SMOOTHING))
    characters = np.bincount(keys // _HAN_RANGE, weights=pair_counts, minlength=_HAN_RANGE).astype(np.float64)
    return Tables(classes, log, log - np.log(share), keys, pair_counts, characters)


@functools.cache
def starter_pairs() -> frozenset[int]:
    """Return the pairs of characters of the starter corpus."""
    return frozenset(
        key for record in starter_records() for text in record.texts() for key in pair_keys(text).tolist()
    )


def _is_salad(text: str) -> bool:
    if len(text.strip()) < _FEWEST_CHARS:
        return False
    tables, weights = load_tables(), load_weights()
    if score(*measure(text, tables), weights) > weights.whole_limit:
        return True
    parts = list(stretches(text))
    return len(parts) > 1 and any(
        score(*measure(part, tables), weights) > weights.stretch_limit for part in parts
    )


def _is_unpaired(text: str, *, final: bool) -> bool:
    opened: list[tuple[str, int]] = []
    for place, mark in enumerate(text):
        if mark == "\n" and opened:
            return True
        if mark in _CLOSES.values():
            if any(other == mark for other, _ in opened):
                return True
            opened.append((mark, place))
        elif mark in _CLOSES and (not opened or opened.pop()[0] != _CLOSES[mark]):
            return True
    return bool(opened) and (final or len(text) - opened[0][1] > _LONGEST_OPEN_QUOTE)


def _look_up(keys: Integers, tables: Tables) -> tuple[Floats, Floats]:
    places = np.minimum(np.searchsorted(tables.pair_keys, keys), len(tables.pair_keys) - 1)
    counts = np.where(tables.pair_keys[places] == keys, tables.pair_counts[places], 0.0)
    first, second = tables.character_counts[keys // _HAN_RANGE], tables.character_counts[keys % _HAN_RANGE]
    total = tables.character_counts.sum()
    return counts, np.log((counts + _UNSEEN_COUNT) * total / ((first + 1) * (second + 1)))


def _longest_run(flags: list[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def _mean(values: Floats | NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else 0.0
