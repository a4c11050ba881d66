"""Several models on the same records of one split, whatever their vocabularies.

In: model folders by name, a corpus folder, settings. Out: `SideBySide`: figures
of each, and how each later model differs from the first, pair by pair of the
same record. Before words are compared with words all of them are folded to
NFKC, answers and references alike: PanGu's tokenizer writes ， as , and without
folding every comma would be an error of its. What a tokenizer can't spell costs
its model nothing, so the share of such characters stands beside the figures. Nothing is
chosen or trained here, and nothing says which model is better for people.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rapidfuzz.distance import LCSseq

from psyllm.core.progress import report
from psyllm.core.settings import EvaluateSettings
from psyllm.evaluate.findings import PEOPLE
from psyllm.evaluate.guarding import Judged, judge
from psyllm.evaluate.intervals import mean_interval, ratio_interval, share_interval
from psyllm.evaluate.measure import (
    PERCENT,
    Figures,
    Resampling,
    form_figures,
    likeness_figures,
    rouge_scores,
    variety_at_equal_size,
)
from psyllm.evaluate.perplexity import perplexity_figures
from psyllm.evaluate.questions import Asked, asked_of, draw
from psyllm.evaluate.seen_before import NOTHING_SEEN, Seen
from psyllm.evaluate.spoken import Spoken, changes, speak
from psyllm.lm.tokenizer import Tokenizer, read_tokenizer

TASK = "models side by side"


class Counted(NamedTuple):
    """How many records there were and were used.

    A base may have read those `left_out`; those `too_short` could be looked for by their opening only.
    """

    in_split: int
    scored: int
    answered: int
    left_out: int = 0
    too_short: int = 0


class SideBySide(NamedTuple):
    """Everything found; models stand in the order they were named, `changes` are less the first of them."""

    asked: list[Asked]
    spoken: dict[str, Spoken]
    people: list[Judged]
    figures: dict[str, Figures]
    changes: dict[str, Figures]
    counts: Counted

    @property
    def models(self) -> list[str]:
        """The names of the models, the one that the others are held against first."""
        return list(self.spoken)


def stand(
    models: Mapping[str, Path], corpus: Path, settings: EvaluateSettings, seen: Seen = NOTHING_SEEN
) -> SideBySide:
    """Return what each model does on the split, less what a base may have read.

    Raises:
        EmptyCorpus: the split holds nothing that can be asked.
        BadCheckpoint: a model can't be loaded.
    """
    everything, left_out = asked_of(corpus, settings.split, seen.ids)
    scored = draw(everything, settings.most_scored, settings.seed)
    asked = draw(everything, settings.most_generated, settings.seed)
    resampling = Resampling(settings.bootstrap_samples, settings.seed)
    spoken: dict[str, Spoken] = {}
    for done, (name, folder) in enumerate(models.items()):
        report(TASK, done, len(models), name)
        spoken[name] = speak(folder, scored, asked, settings)
    report(TASK, len(models), len(models))
    people = judge(
        [question.references[0] for question in asked], [question.question() for question in asked]
    )
    figures = figures_of(spoken, people, asked, resampling)
    for name, folder in models.items():
        figures[name] |= spelling_figures(folder, scored, spoken[name], resampling)
    first, *later = spoken
    references = [[fold(text) for text in question.references] for question in asked]
    differing = {name: changes_of(spoken[name], spoken[first], references, resampling) for name in later}
    counts = Counted(len(everything) + left_out, len(scored), len(asked), left_out, seen.too_short)
    return SideBySide(asked, spoken, people, figures, differing, counts)


def fold(text: str) -> str:
    """Return the text in one width of letters and punctuation, as every text is compared here."""
    return unicodedata.normalize("NFKC", text)


def figures_of(
    spoken: Mapping[str, Spoken], people: Sequence[Judged], asked: Sequence[Asked], resampling: Resampling
) -> dict[str, Figures]:
    """Return the figures of each model, and of people where they need nothing to compare with."""
    references = [[fold(text) for text in question.references] for question in asked]
    columns = {name: [fold(answer.text) for answer in one.drawn] for name, one in spoken.items()}
    columns[PEOPLE] = [texts[0] for texts in references]
    judged = {**{name: one.judged for name, one in spoken.items()}, PEOPLE: people}
    figures = variety_at_equal_size(columns)
    for name, answers in columns.items():
        figures[name] |= form_figures(answers, judged[name], resampling)
    for name, one in spoken.items():
        figures[name] |= likeness_figures(columns[name], references, resampling)
        figures[name] |= perplexity_figures(one.surprised, **resampling._asdict())
        ended = share_interval([answer.finish == "end" for answer in one.drawn])
        figures[name]["ended_percent"] = ended.scaled(PERCENT)
    return figures


def spelling_figures(model: Path, scored: Sequence[Asked], spoken: Spoken, resampling: Resampling) -> Figures:
    """Return how many tokens a character costs, and the share of characters that the tokenizer can't give back."""
    tokenizer = read_tokenizer(model)
    counted = [lost_chars(tokenizer, question.references) for question in scored]
    lost = [PERCENT * one for one, _ in counted]
    chars = [of for _, of in counted]
    tokens = [one.tokens for one in spoken.surprised]
    of = [one.chars for one in spoken.surprised]
    return {
        "tokens_per_char": ratio_interval(tokens, of, **resampling._asdict()),
        "lost_chars_percent": ratio_interval(lost, chars, **resampling._asdict()),
    }


def lost_chars(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[int, int]:
    """Return how many characters of these texts the tokenizer can't give back, and of how many."""
    wanted = [_spelt(text) for text in texts]
    given = [_spelt(tokenizer.decode(ids)) for ids in tokenizer.encode_many(texts)]
    kept = sum(LCSseq.similarity(one, other) for one, other in zip(wanted, given, strict=True))
    chars = sum(map(len, wanted))
    return chars - kept, chars


def changes_of(
    now: Spoken, first: Spoken, references: Sequence[Sequence[str]], resampling: Resampling
) -> Figures:
    """Return how one model differs from the first, from pairs of the same record; `references` are folded."""
    drawing = resampling._asdict()
    now, first = _folded(now), _folded(first)
    found = changes(now, first, resampling)
    more = [one.nll_nats - other.nll_nats for one, other in zip(now.surprised, first.surprised, strict=True)]
    per_byte = ratio_interval(more, [one.bytes for one in now.surprised], **drawing)
    likeness = [
        rouge_scores([answer.text for answer in one.drawn], references, "chars") for one in (now, first)
    ]
    nearer = [one - other for one, other in zip(*likeness, strict=True)]
    return found | {
        "bits_per_char": found["nats_per_char"].scaled(1 / math.log(2)),
        "bits_per_byte": per_byte.scaled(1 / math.log(2)),
        "rouge_l_chars_percent": mean_interval(nearer, **drawing),
    }


def _folded(spoken: Spoken) -> Spoken:
    return spoken._replace(drawn=[one._replace(text=fold(one.text)) for one in spoken.drawn])


def _spelt(text: str) -> str:
    """Return what of a text a tokenizer is asked to give back: its characters, white space and width aside."""
    return "".join(fold(text).split())
