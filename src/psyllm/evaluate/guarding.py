"""How many answers the safety guard lets through, and why it stops the others.

In: whole answers, what each visitor said. Out: a verdict for each, the share that passed, each reason
counted. The same guard stands before visitors while serving; here it only
measures and changes no answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from psyllm.safety.guard import check


class Judged(NamedTuple):
    """Whether one answer may be shown, and the guard's reasons if not."""

    passed: bool
    reasons: tuple[str, ...]


def judge(answers: Sequence[str], questions: Sequence[str]) -> list[Judged]:
    """Return the guard's verdict on each whole answer to what the visitor said."""
    verdicts = (
        check(answer, final=True, asked=question) for answer, question in zip(answers, questions, strict=True)
    )
    return [Judged(verdict.passed, tuple(verdict.reasons)) for verdict in verdicts]


def count_reasons(judged: Sequence[Judged]) -> dict[str, int]:
    """Return how many answers each reason stopped, by name; one answer may have several."""
    counts = Counter(reason for verdict in judged for reason in set(verdict.reasons))
    return dict(sorted(counts.items()))
