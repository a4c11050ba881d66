"""Answers and references become figures, a column for each who answers.

In: questions and, for each column, one answer a question. Out: figures by
column and key of `metrics.toml`, each with its interval. Nothing here knows
where the answers come from, so model, baselines and people are measured alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from psyllm.evaluate.distinct import count_grams, distinct, distinct_without_each, expected_types
from psyllm.evaluate.guarding import Judged
from psyllm.evaluate.intervals import Interval, jackknife_interval, mean_interval, share_interval
from psyllm.evaluate.rouge import best_rouge_l
from psyllm.evaluate.units import Unit

PERCENT = 100.0
Figures = dict[str, Interval]
UNITS: tuple[Unit, ...] = ("chars", "words")
# Key, n, unit, denominator.
DISTINCT: tuple[tuple[str, int, Unit, str], ...] = (
    ("distinct_1_chars_percent", 1, "chars", "unit"),
    ("distinct_2_chars_per_ngram_percent", 2, "chars", "ngram"),
    ("distinct_2_chars_per_char_percent", 2, "chars", "unit"),
    ("distinct_1_words_percent", 1, "words", "unit"),
    ("distinct_2_words_per_ngram_percent", 2, "words", "ngram"),
    ("distinct_2_words_per_word_percent", 2, "words", "unit"),
)


class Resampling(NamedTuple):
    """How intervals are drawn."""

    samples: int
    seed: int


def rouge_scores(answers: Sequence[str], references: Sequence[Sequence[str]], unit: Unit) -> list[float]:
    """Return ROUGE-L F1 in percent of each answer against its best reference."""
    pairs = zip(answers, references, strict=True)
    return [PERCENT * best_rouge_l(answer, wanted, unit=unit) for answer, wanted in pairs]


def likeness_figures(
    answers: Sequence[str], references: Sequence[Sequence[str]], resampling: Resampling
) -> Figures:
    """Return ROUGE-L over characters and words."""
    return {
        f"rouge_l_{unit}_percent": mean_interval(
            rouge_scores(answers, references, unit), **resampling._asdict()
        )
        for unit in UNITS
    }


def variety_figures(answers: Sequence[str]) -> Figures:
    """Return Distinct-1 and -2 over characters and words with both denominators."""
    found = {}
    for key, n, unit, per in DISTINCT:
        grams = count_grams(answers, n=n, unit=unit)
        whole = jackknife_interval(distinct(grams, per=per), distinct_without_each(grams, per=per))
        found[key] = whole.within(0, 1).scaled(PERCENT)
    return found


def variety_at_equal_size(columns: Mapping[str, Sequence[str]]) -> dict[str, Figures]:
    """Return Distinct of each column shrunk to the n-grams of the smallest one that has any."""
    found: dict[str, Figures] = {column: {} for column in columns}
    for n in (1, 2):
        grams = {column: count_grams(answers, n=n, unit="chars") for column, answers in columns.items()}
        size = min((len(one.codes) for one in grams.values() if len(one.codes)), default=0)
        for column, one in grams.items():
            value = PERCENT * expected_types(one, size) / size if len(one.codes) else 0.0
            found[column][f"distinct_{n}_chars_equal_size_percent"] = Interval(value, None, None)
    return found


def form_figures(answers: Sequence[str], judged: Sequence[Judged], resampling: Resampling) -> Figures:
    """Return the share that passed the guard and the mean length."""
    passed = share_interval([verdict.passed for verdict in judged])
    lengths = [float(len(answer)) for answer in answers]
    return {
        "guard_passed_percent": passed.scaled(PERCENT),
        "length_chars": mean_interval(lengths, **resampling._asdict()),
    }
