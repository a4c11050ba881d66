"""Several answers at the same time from one model.

In: dialogues with a ticket, settings and a seed. Out: what is said, ticket by
ticket. One prompt is read at a time, in parts, between steps in which every
open answer gets one token, so that a newcomer soon has first words and slows
the others little. The same dialogue, settings and seed give the same answer.
Nothing here reads pipes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from psyllm.core.settings import Decoding
from psyllm.lm.checkpoint import Checkpoint
from psyllm.lm.drawing import Logits, Speaker, draw
from psyllm.lm.memory import SLOTS
from psyllm.lm.slots import Slots
from psyllm.lm.template import Message, encode_prompt
from psyllm.lm.wire import FinishReason

READ_TOKENS = 256  # of a prompt between two steps of the others
ROOM_FOR_ANSWER_SHARE = 0.5  # at most so much of the context is kept free for the answer


class Said(NamedTuple):
    """New text of a ticket, and why it ended if it did."""

    ticket: str
    text: str
    reason: FinishReason | None


@dataclass
class _Answer:
    ticket: str
    prompt: list[int]
    decoding: Decoding
    most_tokens: int
    random: np.random.Generator
    speaker: Speaker
    read: int = 0
    said: list[int] = field(default_factory=list)


class Decoder:
    """Answers tickets with one model; call `step` while `busy`."""

    def __init__(self, checkpoint: Checkpoint, slots: int = SLOTS) -> None:
        self._checkpoint = checkpoint
        self._slots = Slots(checkpoint.model, slots, checkpoint.context_tokens)
        self._rows: list[_Answer | None] = [None] * slots
        self._waiting: deque[_Answer] = deque()
        self._ends = checkpoint.tokenizer.ends
        rows: Callable[[], Any] = checkpoint.model.get_input_embeddings
        self._never = np.array(checkpoint.tokenizer.silent(rows().weight.shape[0]), dtype=np.int64)

    @property
    def busy(self) -> bool:
        """Whether any answer is open."""
        return bool(self._waiting) or any(self._rows)

    def add(self, ticket: str, messages: Sequence[Message], decoding: Decoding, seed: int) -> None:
        """Queue an answer."""
        context = self._checkpoint.context_tokens
        kept_free = min(decoding.max_new_tokens, int(context * ROOM_FOR_ANSWER_SHARE))
        prompt = encode_prompt(self._checkpoint.tokenizer, messages, context - kept_free)
        self._waiting.append(
            _Answer(
                ticket=ticket,
                prompt=prompt,
                decoding=decoding,
                most_tokens=min(decoding.max_new_tokens, context - len(prompt)),
                random=np.random.default_rng(abs(seed)),
                speaker=Speaker(self._checkpoint.tokenizer),
            )
        )

    def cancel(self, ticket: str) -> bool:
        """Drop an answer and free its slot; return whether it was open."""
        before = len(self._waiting)
        self._waiting = deque(answer for answer in self._waiting if answer.ticket != ticket)
        for row, answer in enumerate(self._rows):
            if answer is not None and answer.ticket == ticket:
                self._rows[row] = None
                return True
        return len(self._waiting) < before

    def step(self) -> list[Said]:
        """Read a part of one prompt, then give every speaking answer one token."""
        self._admit()
        said = self._read_some()
        speaking = [(row, answer) for row, answer in enumerate(self._rows) if answer and answer.said]
        if not speaking:
            return said
        ids = [0] * self._slots.count
        positions = [0] * self._slots.count
        for row, answer in speaking:
            ids[row] = answer.said[-1]
            positions[row] = len(answer.prompt) + len(answer.said) - 1
        self._protect_readers(positions)
        logits = self._slots.step(ids, positions).numpy()
        for row, answer in speaking:
            said += self._say(row, answer, logits[row])
        return said

    def _admit(self) -> None:
        for row, answer in enumerate(self._rows):
            if answer is None and self._waiting:
                self._rows[row] = self._waiting.popleft()

    def _protect_readers(self, positions: list[int]) -> None:
        """Let a slot whose prompt is half read take the idle token where it reads on."""
        for row, answer in enumerate(self._rows):
            if answer is not None and not answer.said:
                positions[row] = answer.read

    def _read_some(self) -> list[Said]:
        for row, answer in enumerate(self._rows):
            if answer is not None and answer.read < len(answer.prompt):
                part = answer.prompt[answer.read : answer.read + READ_TOKENS]
                logits = self._slots.read(row, part, answer.read).numpy()
                answer.read += len(part)
                return self._say(row, answer, logits) if answer.read == len(answer.prompt) else []
        return []

    def _say(self, row: int, answer: _Answer, logits: Logits) -> list[Said]:
        token = draw(logits, answer.decoding, answer.said, self._never, answer.random)
        reason: FinishReason | None = None
        text = ""
        if token in self._ends:
            reason = "end"
        else:
            answer.said.append(token)
            text = answer.speaker.add(token)
            if len(answer.said) >= answer.most_tokens:
                reason = "length"
        if reason is not None:
            self._rows[row] = None
        return [Said(answer.ticket, text, reason)] if text or reason else []
