"""What the engine's two processes say to each other: one JSON object a line.

To the child: `submit` (ticket, messages, decoding, seed) and `cancel`
(ticket); the end of its input tells it to stop. From the child: `ready`
(model), `refused` (an error's code, message, next step), `text` (ticket,
text), `end` (ticket, reason). Words travel here and nowhere else: never in
arguments, the environment or a log. Nothing here reads or writes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from psyllm.core.settings import Decoding
from psyllm.lm.template import Message

FinishReason = Literal["end", "length", "cancelled"]
FINISH_REASONS: tuple[FinishReason, ...] = ("end", "length", "cancelled")


def pack_line(kind: str, **fields: object) -> bytes:
    """Return one message as a line."""
    return json.dumps({"kind": kind, **fields}, ensure_ascii=True).encode() + b"\n"


def unpack_line(line: bytes) -> dict[str, Any]:
    """Return the message of one line."""
    found: dict[str, Any] = json.loads(line)
    return found


def submit_line(ticket: str, messages: Sequence[Message], decoding: Decoding, seed: int) -> bytes:
    """Return the line that asks for an answer."""
    turns = [[message.role, message.text] for message in messages]
    return pack_line(
        "submit", ticket=ticket, messages=turns, decoding=decoding.model_dump(mode="json"), seed=seed
    )
