"""From records to rows: what each stage learns from.

In: the train and dev records of a corpus. Out: rows of the model's length.
`adapt` learns all words of the documents, joined and cut; where documents are
few (less than half of the tokens of the dialogues) it also learns all words of
the questions and dialogues, so that a small corpus still teaches the language.
`answer` learns the counsellor's words only. Records with `may_train` false
never enter. Documents of the source `general` enter `adapt` only as the share
that the settings name. Nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from psyllm.core.errors import BadSetting
from psyllm.core.progress import track
from psyllm.core.records import Record, read_records
from psyllm.lm.pack import Rows, join, pack_blocks, pack_wrapped
from psyllm.lm.template import END, PAD, Message, encode_text, encode_training, record_messages
from psyllm.lm.tokenizer import Tokenizer

GENERAL_SOURCE = "general"
FEW_DOCUMENTS_SHARE = 0.5


@dataclass
class Material:
    """The words of one split; `refused` counts the records that may not be trained on."""

    documents: list[str] = field(default_factory=list)
    general: list[str] = field(default_factory=list)
    dialogues: list[list[Message]] = field(default_factory=list)
    records: int = 0
    refused: int = 0

    def texts(self) -> list[str]:
        """Return all words, for the tokenizer."""
        said = [message.text for dialogue in self.dialogues for message in dialogue]
        return [*self.documents, *self.general, *said]


def read_material(corpus: Path, split: str) -> Material:
    """Read the records of a split that may be trained on."""
    return material_of(track(read_records(corpus, prefix=split), f"reading {split}"))


def material_of(records: Iterable[Record]) -> Material:
    """Return the words of those records that may be trained on."""
    material = Material()
    for record in records:
        if not record.may_train:
            material.refused += 1
            continue
        material.records += 1
        if record.kind == "document":
            kind = material.general if record.source == GENERAL_SOURCE else material.documents
            kind.append(record.opening())
        else:
            material.dialogues += record_messages(record)
    return material


def answer_rows(tokenizer: Tokenizer, dialogues: Sequence[Sequence[Message]], length: int, task: str) -> Rows:
    """Return the rows of the answer stage: whole dialogues in blocks, the counsellor's words learnt."""
    examples = [
        example
        for messages in track(dialogues, task, len(dialogues))
        for example in encode_training(tokenizer, messages, length)
    ]
    return pack_blocks(examples, length, tokenizer.mark(PAD))


def adapt_rows(
    tokenizer: Tokenizer, material: Material, length: int, *, general_share: float, seed: int
) -> Rows:
    """Return the rows of the adapt stage: all words, in an order that the seed names.

    Raises:
        BadSetting: general text is asked for and there is none.
    """
    texts = _documents(tokenizer, material.documents)
    dialogues = [encode_text(tokenizer, messages) for messages in material.dialogues]
    if _count(texts) < FEW_DOCUMENTS_SHARE * _count(dialogues):
        texts += dialogues
    order = np.random.default_rng(seed).permutation(len(texts))
    rows = pack_wrapped((texts[index] for index in order), length, tokenizer.mark(PAD))
    if general_share == 0:
        return rows
    if not material.general:
        message = f"train.general_share is {general_share}, but no source is named {GENERAL_SOURCE!r}"
        raise BadSetting(message, f"import one with --name {GENERAL_SOURCE}, or leave the setting at 0")
    general = pack_wrapped(_documents(tokenizer, material.general), length, tokenizer.mark(PAD))
    if general_share == 1:
        return general
    wanted = round(len(rows.ids) * general_share / (1 - general_share))
    return join(rows, general.take(range(min(wanted, len(general.ids)))))


def _documents(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [[*ids, tokenizer.mark(END)] for ids in tokenizer.encode_many(texts)]


def _count(texts: Iterable[Sequence[int]]) -> int:
    return sum(map(len, texts))
