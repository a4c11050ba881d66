"""The model answers test questions, for measuring only.

In: a model folder, questions, how to draw. Out: one answer a question, in
order, whatever it is: nothing is chosen, repeated or mended. This is the one
place outside the service where a model is asked, and no visitor sees what it
says here. Several answers are drawn at a time; each has its own seed, so which
others are asked changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from psyllm.core.progress import report
from psyllm.core.settings import Decoding
from psyllm.evaluate.questions import Asked
from psyllm.lm.engine import Engine

TASK = "answer questions"
AT_ONCE = 8  # the engine decodes so many together


class Drawn(NamedTuple):
    """An answer of the model; `finish` is end (it stopped by itself) or length (it was cut off)."""

    text: str
    finish: str
    seed: int


def draw_answers(
    model: Path, asked: Sequence[Asked], decoding: Decoding, *, threads: int, seed: int
) -> list[Drawn]:
    """Return the model's answer to each question.

    Raises:
        BadCheckpoint: the folder can't be used.
        EngineFailed: the model's process died.
    """
    return asyncio.run(_draw_all(model, asked, decoding, threads, seed))


def seed_of(question: Asked, seed: int) -> int:
    """Return the seed of one question's answer: its own, whichever others are asked."""
    digest = hashlib.sha256(f"{seed}:{question.id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


async def _draw_all(
    model: Path, asked: Sequence[Asked], decoding: Decoding, threads: int, seed: int
) -> list[Drawn]:
    report(TASK, 0, len(asked))
    engine = await Engine.start(model, threads=threads)
    places = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(question: Asked) -> Drawn:
        nonlocal done
        async with places:
            drawn = await _draw(engine, question, decoding, seed_of(question, seed))
        done += 1
        report(TASK, done, len(asked))
        return drawn

    try:
        await engine.ready()
        return await asyncio.gather(*(one(question) for question in asked))
    finally:
        await engine.close()


async def _draw(engine: Engine, question: Asked, decoding: Decoding, seed: int) -> Drawn:
    ticket = await engine.submit(question.prompt, decoding, seed)
    pieces = [piece async for piece in engine.stream(ticket)]
    return Drawn("".join(pieces), engine.finish_reason(ticket), seed)
