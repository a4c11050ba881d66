"""Settled decisions on cleaned records, as lines of a run of `6_feedback` that `clean` reads.

A decision is settled when two people who did not see each other's agree, or
when a third has decided. It names the record and the hash of the words that
were read: once the words change it says nothing about them any more. The people
are pseudonyms. `feedback` writes the lines, `clean/reviewed.py` applies them,
`core/forgetting.py` takes them out. Reviews of the bundled texts are another
thing (`core/reviews.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from psyllm.core.errors import MalformedInput
from psyllm.core.records import Frozen
from psyllm.core.stages import Stage, file_hash, read_manifest, stage_folder, write_text_atomically

REVIEWS_RUN = "reviews"
DECISIONS = "decisions.jsonl"
FIGURES = "figures.json"
Verdict = Literal["accept", "reject", "edit"]


class EditedTexts(Frozen):
    """The new texts of a record, each in the place of the old one; an emptied turn or answer goes."""

    title: str = ""
    text: str = ""
    turns: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


class SettledReview(Frozen):
    """What was decided about some words, and by whom; who decided otherwise is not among the `reviewers`.

    `dropped_for` is the reason for which cleaning had dropped them.
    """

    id: str
    words: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    dropped_for: str = ""
    edited: EditedTexts | None = None
    reviewers: tuple[str, ...] = ()
    date: str = ""


SettledReviews = Mapping[tuple[str, str], SettledReview]
NO_REVIEWS: SettledReviews = {}
_AGAIN = "write the decisions again: psyllm feedback"


def reviews_folder(data: Path) -> Path:
    """Return the folder of the run of reviews."""
    return stage_folder(data, Stage.FEEDBACK) / REVIEWS_RUN


def read_settled(data: Path) -> SettledReviews:
    """Return the settled decisions of a data folder by record and words.

    Raises:
        MalformedInput: a line is no decision, or some are gone; a rejected text must not come back for it.
    """
    folder = reviews_folder(data)
    manifest = read_manifest(folder)
    if manifest is None:
        return NO_REVIEWS
    path = folder / DECISIONS
    if not path.is_file():
        message = f"{path} is gone"
        raise MalformedInput(message, _AGAIN)
    found = {}
    for number, one in _lines(path):
        if one is None:
            message = f"{path}, line {number}: this is no decision"
            raise MalformedInput(message, _AGAIN)
        found[one.id, one.words] = one
    if manifest.files.get(DECISIONS) != file_hash(path):
        message = f"{path} is not what was written there"
        raise MalformedInput(message, _AGAIN)
    return found


def write_settled(folder: Path, reviews: Iterable[SettledReview]) -> None:
    """Write the decisions of a run, one a line."""
    write_text_atomically(folder / DECISIONS, _as_lines(reviews))


def are_written(folder: Path, reviews: Iterable[SettledReview]) -> bool:
    """Return whether just these decisions stand in a run; a damaged file is to be written again."""
    path = folder / DECISIONS
    return path.is_file() and path.read_bytes() == _as_lines(reviews).encode()


def _as_lines(reviews: Iterable[SettledReview]) -> str:
    return "".join(f"{one.model_dump_json(exclude_defaults=True)}\n" for one in reviews)


def without_decisions(folder: Path, ids: Iterable[str], words: Iterable[str]) -> int:
    """Take the decisions on these records or words out of a run's file; return how many lines went.

    A line that can't be read goes, too: nobody can tell whose words it holds.
    """
    path = folder / DECISIONS
    if not path.exists():
        return 0
    gone_ids, gone_words = set(ids), set(words)
    lines = [one for _, one in _lines(path)]
    left = [
        one for one in lines if one is not None and one.id not in gone_ids and one.words not in gone_words
    ]
    if len(left) < len(lines):
        write_settled(folder, left)
    return len(lines) - len(left)


def unreadable_decisions(folder: Path) -> int:
    """Return how many lines of a run's file are no decision."""
    path = folder / DECISIONS
    return sum(one is None for _, one in _lines(path)) if path.exists() else 0


def _lines(path: Path) -> Iterator[tuple[int, SettledReview | None]]:
    """Yield each line's number and decision, None where the line is none."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if line.strip():
            try:
                yield number, SettledReview.model_validate_json(line)
            except ValidationError:
                yield number, None
