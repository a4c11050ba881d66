"""What one model did on the records that were drawn, and how another differs from it.

In: a model folder, the records scored and those answered; or what two models did
on the same of both. Out: `Spoken`; differences, each from pairs of the same record,
under the keys of `metrics.toml`. Texts are compared as they stand: who wants them
folded folds them before. Nothing here says which difference is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from psyllm.core.settings import EvaluateSettings
from psyllm.evaluate.guarding import Judged, judge
from psyllm.evaluate.intervals import mean_interval, ratio_interval
from psyllm.evaluate.measure import PERCENT, Figures, Resampling
from psyllm.evaluate.perplexity import Surprise, surprises
from psyllm.evaluate.questions import Asked
from psyllm.evaluate.sample import Drawn, draw_answers


class Spoken(NamedTuple):
    """The surprise of each record scored; the answers drawn, and the guard's verdict on each."""

    surprised: Sequence[Surprise]
    drawn: Sequence[Drawn]
    judged: Sequence[Judged]


def speak(model: Path, scored: Sequence[Asked], asked: Sequence[Asked], settings: EvaluateSettings) -> Spoken:
    """Return what a model does on records: how surprised it is by some, what it answers to others.

    Raises:
        BadCheckpoint: the model can't be loaded.
        EngineFailed: the model's process died.
    """
    surprised = surprises(model, scored, settings.threads)
    drawn = draw_answers(model, asked, settings.decoding, threads=settings.threads, seed=settings.seed)
    return Spoken(
        surprised, drawn, judge([answer.text for answer in drawn], [one.question() for one in asked])
    )


def changes(now: Spoken, before: Spoken, resampling: Resampling) -> Figures:
    """Return one model less the other; shares differ in points of a percent."""
    drawing = resampling._asdict()
    surprised = list(zip(now.surprised, before.surprised, strict=True))
    verdicts = zip(now.judged, before.judged, strict=True)
    answers = list(zip(now.drawn, before.drawn, strict=True))
    more_nats = [one.nll_nats - other.nll_nats for one, other in surprised]
    passed = [PERCENT * (one.passed - other.passed) for one, other in verdicts]
    ended = [PERCENT * ((one.finish == "end") - (other.finish == "end")) for one, other in answers]
    longer = [float(len(one.text) - len(other.text)) for one, other in answers]
    return {
        "nats_per_char": ratio_interval(more_nats, [one.chars for one, _ in surprised], **drawing),
        "guard_passed_percent": mean_interval(passed, **drawing),
        "ended_percent": mean_interval(ended, **drawing),
        "length_chars": mean_interval(longer, **drawing),
    }
