"""One measuring from start to end: what was asked, answered and found.

In: a model folder, a corpus folder, settings. Out: `Findings`, all that the
report and the files beside it hold. Columns are who answers: the model, the
nearest training question's answer, a random training answer, and people (the
references themselves, for what needs none to compare with).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from psyllm.core.progress import report, track
from psyllm.core.records import read_records
from psyllm.core.settings import EvaluateSettings
from psyllm.evaluate.against import Against, NotCompared, Other, compare
from psyllm.evaluate.baselines import Found, nearest_answers, random_answers
from psyllm.evaluate.guarding import Judged, judge
from psyllm.evaluate.intervals import share_interval
from psyllm.evaluate.measure import (
    PERCENT,
    Figures,
    Resampling,
    form_figures,
    likeness_figures,
    variety_at_equal_size,
    variety_figures,
)
from psyllm.evaluate.perplexity import perplexity_figures
from psyllm.evaluate.questions import Asked, asked_of, draw, questions_of
from psyllm.evaluate.sample import Drawn
from psyllm.evaluate.seen_before import NOTHING_SEEN, Seen
from psyllm.evaluate.spoken import speak

MODEL, NEAREST, RANDOM, PEOPLE = "model", "nearest", "random", "people"
COLUMNS = (MODEL, NEAREST, RANDOM, PEOPLE)
TASK = "measure answers"


class Counts(NamedTuple):
    """How many records there were and were used.

    The base may have read those `left_out`; those `too_short` could be looked for by their opening only.
    """

    in_split: int
    scored: int
    answered: int
    training: int
    left_out: int = 0
    too_short: int = 0


class Findings(NamedTuple):
    """Everything found; the lists have one entry a question answered, in the order of the split."""

    asked: list[Asked]
    drawn: list[Drawn]
    looked_up: dict[str, list[Found]]
    judged: dict[str, list[Judged]]
    figures: dict[str, Figures]
    counts: Counts
    against: Against | None = None


def find_out(
    model: Path,
    corpus: Path,
    settings: EvaluateSettings,
    other: Other | NotCompared | None = None,
    seen: Seen = NOTHING_SEEN,
) -> Findings:
    """Return what the model, the baselines and people do on the split, and how the model differs from another.

    What a base may have `seen` is left out.

    Raises:
        EmptyCorpus: the split holds nothing that can be asked.
        BadCheckpoint: a model can't be loaded.
    """
    everything, left_out = asked_of(corpus, settings.split, seen.ids)
    read = track(read_records(corpus, prefix="train"), "read training records")
    training = list(questions_of(record for record in read if record.may_train))
    scored = draw(everything, settings.most_scored, settings.seed)
    asked = draw(everything, settings.most_generated, settings.seed)
    resampling = Resampling(settings.bootstrap_samples, settings.seed)
    spoken = speak(model, scored, asked, settings)
    looked_up = _look_up(asked, training, settings.seed)

    columns = {
        MODEL: [answer.text for answer in spoken.drawn],
        **{column: [found.text for found in answers] for column, answers in looked_up.items()},
        PEOPLE: [question.references[0] for question in asked],
    }
    judged = {MODEL: list(spoken.judged)}
    questions = [question.question() for question in asked]
    judged |= {column: judge(answers, questions) for column, answers in columns.items() if column != MODEL}
    figures = _figures(columns, judged, [question.references for question in asked], resampling)
    figures[MODEL] |= perplexity_figures(spoken.surprised, **resampling._asdict())
    ended = share_interval([answer.finish == "end" for answer in spoken.drawn])
    figures[MODEL]["ended_percent"] = ended.scaled(PERCENT)
    counts = Counts(
        len(everything) + left_out, len(scored), len(asked), len(training), left_out, seen.too_short
    )
    found = Findings(asked, list(spoken.drawn), looked_up, judged, figures, counts)
    if not isinstance(other, Other):
        return found
    return found._replace(against=compare(model, other, corpus, (scored, asked), spoken, settings, seen.ids))


def _look_up(asked: Sequence[Asked], training: Sequence[Asked], seed: int) -> dict[str, list[Found]]:
    if not training:
        return {}
    return {
        NEAREST: nearest_answers(asked, training),
        RANDOM: random_answers(asked, training, seed),
    }


def _figures(
    columns: Mapping[str, Sequence[str]],
    judged: Mapping[str, Sequence[Judged]],
    references: Sequence[Sequence[str]],
    resampling: Resampling,
) -> dict[str, Figures]:
    figures: dict[str, Figures] = {}
    equal = variety_at_equal_size(columns)
    for done, (column, answers) in enumerate(columns.items()):
        report(TASK, done, len(columns), column)
        figures[column] = variety_figures(answers) | equal[column]
        figures[column] |= form_figures(answers, judged[column], resampling)
        if column != PEOPLE:
            figures[column] |= likeness_figures(answers, references, resampling)
    report(TASK, len(columns), len(columns))
    return figures
