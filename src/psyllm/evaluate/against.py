"""Did the last step of training help? The model beside the one that it was made from.

In: both models, what was asked on the split, the held-out ratings. Out: differences
with intervals, each pair of figures from the same record, and one word for all. For
a model led by ratings the other is the same model before it (`answer/model`), else
its base. Held-out ratings say whether good answers gained on bad ones that nobody
learnt from; the split says whether the words of people became less likely, and the
guard whether answers did become worse to show. Nobody's wellbeing is measured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from psyllm.core.base_models import base_hash
from psyllm.core.permits import BASE
from psyllm.core.rated_answers import RatedAnswer, Tally, rated_prefix, read_rated, tally_of
from psyllm.core.settings import EvaluateSettings
from psyllm.core.stages import Manifest, read_manifest
from psyllm.evaluate.intervals import CONFIDENCE, Interval
from psyllm.evaluate.measure import PERCENT, Figures, Resampling
from psyllm.evaluate.questions import Asked
from psyllm.evaluate.spoken import Spoken, changes, speak
from psyllm.lm.score import score
from psyllm.lm.template import record_messages

EVEN = 50.0  # percent: as good as a coin
# Below these no interval is given. Of differences that are noise, 400 draws each, the percentile bootstrap
# called 100 % shown at 2 conversations, 34 % at 4, 7 % at 10; of fewer than three people it says nothing
# about people.
FEWEST_CONVERSATIONS = 10
FEWEST_RATERS = 3
# Whose result the ratings changed, the last one first.
STAGES_BEFORE_RATINGS = ("answer", "adapt")
# What `against.toml` calls the changes of `spoken`.
CHANGES = {
    "nats_per_char": "nats_per_char_change",
    "guard_passed_percent": "guard_passed_change_points",
    "ended_percent": "ended_change_points",
    "length_chars": "length_change_chars",
}
Verdict = Literal["helped", "harmed", "mixed", "not_shown"]


class Other(NamedTuple):
    """The model to compare with."""

    name: str
    folder: Path


class NotCompared(NamedTuple):
    """The model that it should be compared with, and why it can't be."""

    name: str
    why: str


class Against(NamedTuple):
    """What was found; `figures` are differences, this model less the other.

    `too_few` is whether people rated, but too few of them for an interval; of `left_out` ratings a base
    has learnt.
    """

    other: str
    figures: Figures
    ratings: Tally
    verdict: Verdict
    too_few: bool = False
    left_out: int = 0


def other_of(run_folder: Path, model: Manifest) -> Other | NotCompared | None:
    """Return the model that this one was made from, None where it was made from nothing."""
    stages = model.details.get("stages")
    if isinstance(stages, dict) and "prefer" in stages:
        for stage in STAGES_BEFORE_RATINGS:
            folder = run_folder / stage / "model"
            if folder.is_dir():
                return Other(f"{model.run}/{stage}", folder)
    named = [parent for parent in model.parents if parent.stage == BASE]
    said = model.settings.get("base")
    if not named or not said:
        return None
    folder = Path(str(said))
    if not folder.is_dir():
        return NotCompared(named[0].run, "it is not there any more")
    if base_hash(folder) != named[0].content_hash:
        return NotCompared(named[0].run, "it holds another model now")
    if not (folder / "psyllm.json").is_file():
        return NotCompared(named[0].run, "it was not trained here and does not know the template")
    # Only a run of ours is called by the folder around it: others can be called after a person.
    made = read_manifest(folder.parent)
    return Other(f"{made.run}/{folder.name}" if made else named[0].run, folder)


def compare(
    model: Path,
    other: Other,
    corpus: Path,
    asked: tuple[Sequence[Asked], Sequence[Asked]],
    spoken: Spoken,
    settings: EvaluateSettings,
    left_out: Collection[str] = (),
) -> Against:
    """Return how the model differs from the other; `asked` are the records scored and those answered.

    Rated answers whose ids are `left_out` do not count: a base has learnt from them.

    Raises:
        BadCheckpoint: the other model can't be loaded.
    """
    resampling = Resampling(settings.bootstrap_samples, settings.seed)
    figures = differences(spoken, speak(other.folder, *asked, settings), resampling)
    held_out = list(read_rated(corpus, prefix=rated_prefix(settings.split)))
    rated = [row for row in held_out if row.record.id not in left_out]
    if rated:
        dialogues = [record_messages(row.record)[0] for row in rated]
        after = score(model, dialogues, threads=settings.threads)
        before = score(other.folder, dialogues, threads=settings.threads)
        gains = [old.nll_nats - new.nll_nats for new, old in zip(after, before, strict=True)]
        figures |= rating_figures(rated, gains, resampling)
    too_few = bool(rated) and not are_enough(rated)
    word = verdict(figures, too_few=too_few)
    return Against(other.name, figures, tally_of(rated), word, too_few, len(held_out) - len(rated))


def differences(now: Spoken, before: Spoken, resampling: Resampling) -> Figures:
    """Return the change of each figure of the split, from pairs of the same record."""
    found = changes(now, before, resampling)
    return {name: found[key] for key, name in CHANGES.items()}


def rating_figures(rated: Sequence[RatedAnswer], gains: Sequence[float], resampling: Resampling) -> Figures:
    """Return in which share of pairs of a good and a bad answer the good one gained more, and by how much.

    Conversations are resampled, not answers: those of one are no separate witnesses. Nothing is said
    where one kind is missing, and no interval is given where `are_enough` says no.
    """
    groups: dict[str, int] = {}
    owners = np.array([groups.setdefault(row.record.group, len(groups)) for row in rated])
    is_good = np.array([row.desirable for row in rated])
    gained = np.array(gains, dtype=np.float64)
    if is_good.all() or not is_good.any():
        return {}
    gaps = gained[is_good][:, None] - gained[~is_good][None]
    right = (gaps > 0) + 0.5 * (gaps == 0)
    whole = np.ones((1, len(groups)))
    shares = np.full(len(groups), 1 / len(groups))
    drawn = (
        np.random.default_rng(resampling.seed)
        .multinomial(len(groups), shares, size=resampling.samples)
        .astype(np.float64)
    )
    found = {}
    for key, values in (("reward_accuracy_percent", PERCENT * right), ("reward_margin_nats", gaps)):
        (value,) = _weighted(values, whole[:, owners[is_good]], whole[:, owners[~is_good]])
        if not are_enough(rated):
            found[key] = Interval(float(value), None, None)
            continue
        resampled = _weighted(values, drawn[:, owners[is_good]], drawn[:, owners[~is_good]])
        found[key] = Interval(float(value), *_ends(resampled))
    return found


def are_enough(rated: Sequence[RatedAnswer]) -> bool:
    """Return whether conversations of each kind and people are so many that an interval means something."""
    conversations = (
        len({row.record.group for row in rated if row.desirable is kind}) for kind in (True, False)
    )
    return min(conversations) >= FEWEST_CONVERSATIONS and tally_of(rated).raters >= FEWEST_RATERS


def _weighted(
    values: NDArray[np.float64], above: NDArray[np.float64], below: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean of values (good, bad) under weights (samples, good) and (samples, bad), where there is one."""
    pairs = above.sum(axis=1) * below.sum(axis=1)
    sums = np.einsum("sg,gb,sb->s", above, values, below, optimize=True)
    means: NDArray[np.float64] = sums[pairs > 0] / pairs[pairs > 0]
    return means


def _ends(resampled: NDArray[np.float64]) -> tuple[float, float]:
    rest = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [rest, 1 - rest]).tolist()
    return low, high


def verdict(figures: Figures, *, too_few: bool = False) -> Verdict:
    """Return one word: what the intervals show, and nothing that they leave open.

    Better is a good answer gaining on a bad one or, where nobody rated, people's words becoming likelier;
    worse is the opposite of either, and fewer answers that the guard lets through.
    """
    words, guard = figures["nats_per_char_change"], figures["guard_passed_change_points"]
    rated = figures.get("reward_accuracy_percent")
    better = _is_below(words, 0) if rated is None and not too_few else _is_above(rated, EVEN)
    worse = _is_above(words, 0) or _is_below(guard, 0) or _is_below(rated, EVEN)
    if better:
        return "mixed" if worse else "helped"
    return "harmed" if worse else "not_shown"


def _is_above(figure: Interval | None, border: float) -> bool:
    return figure is not None and figure.low is not None and figure.low > border


def _is_below(figure: Interval | None, border: float) -> bool:
    return figure is not None and figure.high is not None and figure.high < border
