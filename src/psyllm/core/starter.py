"""The starter corpus that ships inside the package, as records.

One plain JSON file: questions in PsyQA's shape, dialogues and short articles,
written for this project. `collect` imports it, `serve` shows it even when no stage has run.
Nothing here judges or changes the texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psyllm.core.records import Answer, Record, Span, Turn

STARTER = Path(__file__).parent.parent / "starter" / "starter.json"
SOURCE = "starter"


def starter_records(path: Path = STARTER, source: str = SOURCE) -> Iterator[Record]:
    """Yield the starter corpus: questions, dialogues, articles; all may be shown."""
    return records_of(json.loads(path.read_text("utf-8")), source)


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
    )
