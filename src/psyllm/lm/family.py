"""Which wording a model is spoken to with, and which ids end, fill and are never drawn.

In: a folder with its tokenizer, and what is wished. Out: a `Manner`. Our own
models say it in their card; one from elsewhere is known by its kind: PanGu by
its type, Wenzhong by a GPT-2 with more rows than pieces, any other by its chat
template. What nothing is known of takes our marks, which training adds. Nothing
here loads weights or torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from psyllm.core.errors import BadCheckpoint
from psyllm.lm.chat import OWN_MARKS, chat_wording, read_template
from psyllm.lm.codec import PANGU_MARKS, Codec
from psyllm.lm.model_card import ModelCard, read_generation, read_settings
from psyllm.lm.template import PAD
from psyllm.lm.wording import FIXED, TURNS, WENZHONG, Family, Wording

Wish: TypeAlias = Literal["auto"] | Family
PANGU_TYPES = frozenset({"gpt_pangu", "pangu"})
# of added tokens: <think>, <|vision_start|>, [gMASK] … stand for no words
LOOKS_LIKE_A_MARK = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")


class Manner(NamedTuple):
    """How to speak to a model: `pad` fills rows, an id of `ends` ends an answer."""

    wording: Wording
    pad: int | None
    ends: frozenset[int]


def manner_of(folder: Path, codec: Codec, card: ModelCard | None, wish: Wish) -> Manner:
    """Return the card's manner unless another is wished, else what the folder's kind asks for.

    Raises:
        BadCheckpoint: what is wished does not go with this model.
    """
    if card is not None and wish in {"auto", card.family}:
        return Manner(card.worded(), card.pad, frozenset(card.ends))
    config = read_settings(folder)
    family = _kind(folder, codec, config) if wish == "auto" else wish
    if family == "turns":
        return Manner(TURNS, None, frozenset())
    wording = chat_wording(folder, codec) if family == "chat" else FIXED[family]
    lacking = [mark for mark in _marks_needed(wording) if mark not in codec.marks]
    if lacking:
        message = f"{folder}: the template {family} needs {lacking[0]}, which its tokenizer lacks"
        raise BadCheckpoint(message, OWN_MARKS)
    end = codec.marks[wording.end]
    generation = read_generation(folder)
    ends = frozenset({end, *_ids(generation.get("eos_token_id"))} & set(range(codec.size)))
    return Manner(wording, _pad(codec, config, generation, end), ends)


def silent_ids(codec: Codec, manner: Manner, rows: int) -> list[int]:
    """Return the ids that are never drawn: rows without a text, and marks that end nothing."""
    marks = {
        number
        for token, number in codec.marks.items()
        if token in PANGU_MARKS or token == manner.wording.end or LOOKS_LIKE_A_MARK.fullmatch(token)
    }
    return sorted({*marks, *range(codec.size, rows)} - manner.ends)


def _kind(folder: Path, codec: Codec, config: dict[str, Any]) -> Family:
    kind = config.get("model_type")
    if kind in PANGU_TYPES:
        return "pangu"
    if read_template(folder) is not None:
        return "chat"
    has_empty_rows = int(config.get("vocab_size", 0)) > codec.size
    if kind == "gpt2" and has_empty_rows and WENZHONG.end in codec.marks:
        return "wenzhong"
    return "turns"


def _marks_needed(wording: Wording) -> Iterable[str]:
    around = f"{wording.first}{wording.answer}{wording.end}"
    return re.findall(r"<s>|<sep>|<eot>", around) if wording.family == "pangu" else [wording.end]


def _pad(codec: Codec, config: dict[str, Any], generation: dict[str, Any], end: int) -> int:
    """Return an id for filling that is not the end: the published one, a row without a text, another mark."""
    published = (*_ids(generation.get("pad_token_id")), *_ids(config.get("pad_token_id")))
    rows = int(config.get("vocab_size", 0))
    empty = range(codec.size, rows)[:1]
    named = [codec.marks[mark] for mark in ("<pad>", PAD) if mark in codec.marks]
    others = sorted(codec.marks.values())
    candidates: tuple[int, ...] = (*published, *named, *empty, *others, 0, 1)
    return next(number for number in candidates if number != end and 0 <= number < max(rows, codec.size))


def _ids(value: object) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [number for number in values if isinstance(number, int)]
