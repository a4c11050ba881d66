"""The starter corpus that ships inside the package, as records.

One plain JSON file: questions in PsyQA's shape, dialogues and short articles,
written for this project, and beside it what reviewers decided about them.
`collect` imports it, `serve` shows it even when no stage has run. Nothing here
judges or changes the texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psyllm.core.records import Answer, Record, Span, Turn
from psyllm.core.reviews import read_reviews, reviewed, reviews_path

STARTER = Path(__file__).parent.parent / "starter" / "starter.json"
# Reviews that the project itself ships; a data folder has its own beside them.
STARTER_REVIEWS = STARTER.parent / "reviews.jsonl"
SOURCE = "starter"
# How great the danger is in what the asker wrote, judged by a reader and not by screening.
LEVEL_BY_HAND = "level_by_hand:"


def starter_records(path: Path = STARTER, source: str = SOURCE, data: Path | None = None) -> Iterator[Record]:
    """Yield the starter corpus as reviewed: questions, dialogues, articles; all may be shown.

    `data` is the folder whose own reviews count, too.

    Raises:
        MalformedInput: a file of reviews is broken.
    """
    yield from reviewed(written_records(path, source), read_reviews(review_places(data)))


def level_by_hand(record: Record) -> str:
    """Return how great the danger is that a reader saw in the asker's words; empty where nobody judged."""
    levels = (flag.removeprefix(LEVEL_BY_HAND) for flag in record.flags if flag.startswith(LEVEL_BY_HAND))
    return next(levels, "")


def written_records(path: Path = STARTER, source: str = SOURCE) -> Iterator[Record]:
    """Yield the starter corpus as it was written, before any review."""
    return records_of(json.loads(path.read_text("utf-8")), source)


def review_places(data: Path | None) -> list[Path]:
    """Return the files of reviews that count for a data folder; they need not exist."""
    return [STARTER_REVIEWS] if data is None else [STARTER_REVIEWS, reviews_path(data)]


def records_of(content: dict[str, Any], source: str = SOURCE) -> Iterator[Record]:
    """Yield the records of a starter corpus that has been read."""
    licence = content["licence"]
    for question in content["questions"]:
        yield _question(question, source, licence)
    for number, dialogue in enumerate(content.get("dialogues", ())):
        yield _dialogue(dialogue, number, source, licence)
    for number, article in enumerate(content["articles"]):
        yield Record(
            id=f"{source}:article-{number:03d}",
            kind="document",
            group=f"{source}:article-{number:03d}",
            source=source,
            licence=licence,
            title=article["title"],
            text=article["text"],
            topic=article["topic"],
            may_show=True,
            reviewed_by=article["reviewed_by"],
        )


def _dialogue(dialogue: dict[str, Any], number: int, source: str, licence: str) -> Record:
    key = f"{source}:dialogue-{number:03d}"
    return Record(
        id=key,
        kind="dialogue",
        group=key,
        source=source,
        licence=licence,
        topic=dialogue["topic"],
        turns=tuple(Turn(role=turn["role"], text=turn["text"]) for turn in dialogue["turns"]),
        may_show=True,
        reviewed_by=dialogue["reviewed_by"],
        flags=_level_flags(dialogue),
    )


def _question(question: dict[str, Any], source: str, licence: str) -> Record:
    keywords = tuple(question["keywords"].split(","))
    key = f"{source}:{question['questionID']}"
    answers = tuple(
        Answer(
            text=answer["answer_text"],
            spans=tuple(Span(**span) for span in answer["labels_sequence"] or ()),
            author="project",
            written_for_this_project=answer["written_for_this_project"],
            reviewed_by=answer["reviewed_by"],
        )
        for answer in question["answers"]
    )
    return Record(
        id=key,
        kind="question",
        group=key,
        source=source,
        licence=licence,
        title=question["question"],
        text=question["description"],
        topic=keywords[0],
        keywords=keywords,
        answers=answers,
        may_show=True,
        flags=_level_flags(question),
    )


def _level_flags(item: dict[str, Any]) -> tuple[str, ...]:
    return (f"{LEVEL_BY_HAND}{item['level']}",) if "level" in item else ()
