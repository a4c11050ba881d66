"""The records of a split as questions that have answers, and a sample of them.

In: records. Out: one `Asked` a record: what came before the last counsellor's
turn, and what people answered there. Documents, and dialogues in which nobody
asks, give none. Nothing here is scored or drawn from a model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from psyllm.core.errors import EmptyCorpus
from psyllm.core.records import Record, read_records
from psyllm.lm.template import Message, beginning, record_messages


class Asked(NamedTuple):
    """One record: its id, the dialogue up to the answer, the people's answers."""

    id: str
    prompt: tuple[Message, ...]
    references: tuple[str, ...]

    def question(self) -> str:
        """Return all that the visitor said before the answer."""
        return "\n".join(message.text for message in self.prompt if message.role == "visitor")

    def dialogues(self) -> list[list[Message]]:
        """Return one whole dialogue for each of the people's answers."""
        return [[*self.prompt, Message("counsellor", answer)] for answer in self.references]


def questions_in(corpus: Path, split: str) -> list[Asked]:
    """Return all that can be asked of a split, in the order of its records.

    Raises:
        EmptyCorpus: it holds nothing that can be asked.
    """
    found = list(questions_of(read_records(corpus, prefix=split)))
    if not found:
        message = f"the {split} split of {corpus} holds no question with an answer and no dialogue"
        next_step = "collect more questions or dialogues, or raise corpus.test_share, then run clean and on"
        raise EmptyCorpus(message, next_step)
    return found


def questions_of(records: Iterable[Record]) -> Iterator[Asked]:
    """Yield what can be asked of the records, in their order."""
    for record in records:
        dialogues = [dialogue for dialogue in record_messages(record) if dialogue[-1].text.strip()]
        if dialogues and any(message.role == "visitor" for message in dialogues[0]):
            references = tuple(dialogue[-1].text for dialogue in dialogues)
            yield Asked(record.id, tuple(dialogues[0][:-1]), references)


def openings_of(records: Iterable[Record]) -> Iterator[Asked]:
    """Yield what visitors open with and how that was answered first, in the records' order.

    What a dialogue ends with is mostly thanks, and an answer to thanks fits any other.
    """
    for record in records:
        begun = [beginning(dialogue, 1) for dialogue in record_messages(record)]
        if begun and begun[0][0].role == "visitor":
            yield Asked(record.id, tuple(begun[0][:-1]), tuple(talk[-1].text for talk in begun))


def asked_of(corpus: Path, split: str, left_out: Collection[str]) -> tuple[list[Asked], int]:
    """Return what can be asked of a split, less the records left out, and how many those are.

    Raises:
        EmptyCorpus: nothing is left.
    """
    everything = questions_in(corpus, split)
    kept = [question for question in everything if question.id not in left_out]
    if not kept:
        message = f"the base may have read all {len(everything):,} records of the {split} split of {corpus}"
        raise EmptyCorpus(
            message, "measure on texts that the base has not read: collect others, then clean and on"
        )
    return kept, len(everything) - len(kept)


def draw(questions: Sequence[Asked], most: int, seed: int) -> list[Asked]:
    """Return at most `most` questions drawn by `seed`, in the order they stand in.

    A smaller draw of the same seed is part of every larger one.
    """
    chosen = np.random.default_rng(seed).permutation(len(questions))[:most]
    return [questions[place] for place in sorted(chosen.tolist())]
