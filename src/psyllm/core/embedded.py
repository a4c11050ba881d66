"""The small model that ships in the package: where it lies, what it has read, and whether it has passed.

In: the folder `lm/embedded` of the package. Out: its place, whether it is
there, and its standing: what was asked of it and what was measured, as
`bench/embedded.py --marks` wrote it into `marks.json`. This is the one place
that says whether it has passed, by which the demo starts from it. Whoever lets a model
speak asks further: `serve/stand_in.py` before this one writes to visitors of a trial,
`core/descent.py` before one made from it does. A version may hold no such model. Nothing here loads one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from psyllm.core.base_models import MARKS_FILE, base_hash
from psyllm.core.errors import MissingFile
from psyllm.core.fingerprints import FOLDER as FINGERPRINTS
from psyllm.core.fingerprints import read_index, read_owner, read_vouched, whole_sources
from psyllm.core.records import Frozen
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Parent, Stage

NAME = "embedded"
FOLDER = Path(__file__).parent.parent / "lm" / NAME
CARD_FILE = "psyllm.json"
WEIGHTS = "*.safetensors"
NOT_IN_THIS_VERSION = "not in this version"


class Bounds(NamedTuple):
    """Between which figures a measure must lie (None: however large), and what it is, in words."""

    least: float
    most: float | None
    what: str

    def holds(self, figure: float) -> bool:
        """Return whether a figure lies between them."""
        return self.least <= figure <= (sys.float_info.max if self.most is None else self.most)

    def in_words(self) -> str:
        """Return what is asked, in figures."""
        if self.least == self.most:
            return f"{self.least:.4g}"
        return f"{self.least:.4g} or more" if self.most is None else f"{self.least:.4g} to {self.most:.4g}"


# On how much it is measured, and with which settings: those that the service answers with.
MEASURED_ON = {
    "dialogues": Bounds(300, None, "held-out dialogues measured"),
    "questions": Bounds(200, None, "held-out questions answered"),
    "own_judged": Bounds(50, None, "answers of its own read blind"),
    "shuffled_judged": Bounds(50, None, "answers to other questions read blind"),
    **{
        name: Bounds(value, value, f"{name} of the answers")
        for name, value in ServeSettings().decoding.model_dump().items()
    },
}
# What is asked of the model before it may speak (issue 5 of the project, November 2026). A reader who finds
# everything on topic finds so of answers to other questions as well: those are the control.
ASKED = {
    "bits_percent_of_5gram": Bounds(0, 78, "bits per character, in percent of a character 5-gram's"),
    "whole_answers_percent": Bounds(
        80, 100, "percent of answers that the guard passes, that end by themselves and have two sentences"
    ),
    # as of any model that may write to visitors
    "bits_per_char": Bounds(0, ServeSettings().most_bits_per_char, "bits per character"),
    "guard_passed_percent": Bounds(
        ServeSettings().least_guard_passed_percent, 100, "percent of answers that the guard passes"
    ),
    "distinct_2_ratio": Bounds(0.8, 1.2, "Distinct-2 as a multiple of people's"),
    "on_topic_percent": Bounds(70, 100, "percent of answers on topic, read blind"),
    "on_topic_over_shuffled_points": Bounds(
        30, 100, "percentage points on topic over answers to other questions, read blind"
    ),
    **MEASURED_ON,
}


class Marks(Frozen):
    """What `marks.json` holds: the hash of the weights that were measured, the figures, and what was asked of them.

    `told` is for the card only.
    """

    base_sha256: str
    measured: dict[str, float]
    asked: dict[str, tuple[float, float | None]]
    told: dict[str, Any] = Field(default_factory=dict)


class Standing(NamedTuple):
    """Whether the package holds the model, whether it has passed, and why (not) in one sentence."""

    is_here: bool
    passed: bool
    reason: str


def folder() -> Path:
    """Return the place of the model, whether it is there or not."""
    return FOLDER


def is_here() -> bool:
    """Return whether this version holds the model."""
    return (FOLDER / "config.json").is_file() and any(FOLDER.glob(WEIGHTS))


def need() -> Path:
    """Return the folder of the model.

    Raises:
        MissingFile: this version holds none.
    """
    if not is_here():
        message = f"the model {NAME} is {NOT_IN_THIS_VERSION} of psyllm"
        raise MissingFile(
            message,
            "make it: runs/embedded.sh (its first lines say from what), or take another base: psyllm models",
        )
    return FOLDER


def standing() -> Standing:
    """Return whether the model is there and has passed all that is asked of it."""
    if not is_here():
        return Standing(is_here=False, passed=False, reason=NOT_IN_THIS_VERSION)
    try:
        return _judged()
    except OSError:
        return _failed("its files can't be read")


def _judged() -> Standing:
    marks = read_marks()
    if marks is None:
        return _failed("its marks are missing or can't be read")
    if marks.base_sha256 != base_hash(FOLDER):
        return _failed("its marks are those of other weights")
    missed = missed_marks(marks.measured)
    if missed:
        return _failed("; ".join(missed))
    if read_index(FOLDER) is None and (FOLDER / FINGERPRINTS).exists():
        return _failed("its fingerprints can't be read")
    if not any(map(has_read, corpora())):
        return _failed("it has no fingerprints of what it has read, so leaks can't be told")
    return Standing(is_here=True, passed=True, reason="it has passed all that is asked of it")


def missed_marks(figures: Mapping[str, float], asked: Mapping[str, Bounds] = ASKED) -> list[str]:
    """Return in words what of all that is asked, or of a part of it, these figures do not reach."""
    missed = []
    for name, bounds in asked.items():
        figure = figures.get(name)
        if figure is None:
            missed.append(f"{bounds.what}: not measured")
        elif not bounds.holds(figure):
            missed.append(f"{bounds.what}: {figure:.4g}, asked {bounds.in_words()}")
    return missed


def read_marks() -> Marks | None:
    """Return the marks, None where there are none that can be read."""
    try:
        return Marks.model_validate_json((FOLDER / MARKS_FILE).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def has_read(corpus: Parent) -> bool:
    """Return whether whole fingerprints of this very corpus lie in the model's folder, some of each source."""
    owner = read_owner(FOLDER)
    index = read_index(FOLDER)
    if not index or owner is None or owner.content_hash != corpus.content_hash:
        return False
    if not all(counts["runs"] or counts["openings"] for counts in index.values()):
        return False
    return whole_sources(FOLDER, read_vouched(FOLDER)[0]) == set(index)


def corpora() -> list[Parent]:
    """Return the corpora that the model's own card says it was trained on."""
    try:
        card = json.loads((FOLDER / CARD_FILE).read_text("utf-8"))
        said: list[Any] = card["lineage"]["parents"]
        parents = [Parent.model_validate(parent) for parent in said]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [parent for parent in parents if parent.stage == Stage.CORPUS.value]


def _failed(reason: str) -> Standing:
    return Standing(is_here=True, passed=False, reason=reason)
