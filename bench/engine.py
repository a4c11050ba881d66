"""The engine under load, beside transformers' own generate on the same model.

Run `python bench/engine.py`. A model of the demo's size with random weights
answers the same questions: eight visitors at once through the engine, and, as
peers, `model.generate` one question after the other and as one padded batch.
Prints when first words come (p50, p95), when the whole answer is there, and
the ratio of the times for all eight. Every answer has the greatest length, so
all of them draw equally many tokens. Words of a random model mean nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from psyllm.core.settings import Decoding
from psyllm.core.starter import starter_records
from psyllm.core.train_settings import ModelShape
from psyllm.lm.checkpoint import Checkpoint, build, load, save
from psyllm.lm.engine import Engine
from psyllm.lm.template import PAD, SPECIAL_TOKENS, Message, encode_prompt, record_messages
from psyllm.lm.tokenizer import train_tokenizer

VISITORS = 8
ROUNDS = 5
THREADS = 1  # as serve starts it
TOKENS = 150
DECODING = Decoding(max_new_tokens=TOKENS, temperature=0.7, top_p=0.9, repetition_penalty=1.15)
FIRST_WORDS_LIMIT_S, WHOLE_LIMIT_S = 1.0, 10.0


class Heard(NamedTuple):
    """One answer's times in seconds."""

    first_s: float
    whole_s: float


def make_model(folder: Path) -> list[list[Message]]:
    """Write a model that can't end an answer; return the questions."""
    records = list(starter_records())
    texts = [text for record in records for text in record.texts()]
    shape = ModelShape()
    tokenizer = train_tokenizer(texts, shape.vocabulary)
    save(folder, build(shape, tokenizer, seed=1), tokenizer, context_tokens=shape.context_tokens)
    return [talk[0][:1] for record in records if (talk := record_messages(record))][: VISITORS * ROUNDS]


async def through_engine(folder: Path, asked: list[list[Message]]) -> tuple[float, list[Heard], float]:
    """Return seconds until ready, every answer's times, and seconds for a round of eight."""
    begun = time.perf_counter()
    engine = await Engine.start(folder, threads=THREADS)
    await engine.ready()
    ready_s = time.perf_counter() - begun

    async def visit(messages: list[Message], seed: int) -> Heard:
        start = time.perf_counter()
        ticket = await engine.submit(messages, DECODING, seed)
        first_s = 0.0
        async for _ in engine.stream(ticket):
            first_s = first_s or time.perf_counter() - start
        return Heard(first_s, time.perf_counter() - start)

    await visit(asked[0], 0)
    heard: list[Heard] = []
    begun = time.perf_counter()
    for number in range(ROUNDS):
        some = asked[number * VISITORS : (number + 1) * VISITORS]
        heard += await asyncio.gather(*(visit(messages, seed) for seed, messages in enumerate(some)))
    round_s = (time.perf_counter() - begun) / ROUNDS
    await engine.close()
    return ready_s, heard, round_s


def generate(checkpoint: Checkpoint, prompts: list[list[int]]) -> None:
    """Let transformers answer prompts as one left-padded batch."""
    tokenizer = checkpoint.tokenizer
    length = max(map(len, prompts))
    pad = tokenizer.mark(PAD)
    model: Any = checkpoint.model
    model.generate(
        input_ids=torch.tensor([[pad] * (length - len(ids)) + ids for ids in prompts]),
        attention_mask=torch.tensor([[0] * (length - len(ids)) + [1] * len(ids) for ids in prompts]),
        max_new_tokens=TOKENS,
        suppress_tokens=[tokenizer.mark(token) for token in SPECIAL_TOKENS],
        do_sample=True,
        temperature=DECODING.temperature,
        top_p=DECODING.top_p,
        repetition_penalty=DECODING.repetition_penalty,
        use_cache=True,
    )


def through_transformers(folder: Path, asked: list[list[Message]], batch: int) -> float:
    """Return seconds for a round of eight answers, `batch` at a time."""
    torch.set_num_threads(THREADS)
    checkpoint = load(folder)
    room = checkpoint.context_tokens - TOKENS
    prompts = [encode_prompt(checkpoint.tokenizer, messages, room) for messages in asked[:VISITORS]]
    generate(checkpoint, prompts[:1])
    begun = time.perf_counter()
    for start in range(0, VISITORS, batch):
        generate(checkpoint, prompts[start : start + batch])
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        asked = make_model(folder)
        ready_s, heard, round_s = asyncio.run(through_engine(folder, asked))
        one_by_one_s = through_transformers(folder, asked, 1)
        batch_s = through_transformers(folder, asked, VISITORS)
    first = np.array([one.first_s for one in heard])
    whole = np.array([one.whole_s for one in heard])
    p95_first, p95_whole = float(np.percentile(first, 95)), float(np.percentile(whole, 95))
    print(f"model of {ModelShape()}, {THREADS} thread, {VISITORS} at once, {TOKENS} tokens an answer")
    print(f"engine ready after                  {ready_s:6.2f} s")
    print(
        f"first words p50 / p95               {np.median(first):6.3f} / {p95_first:.3f} s (limit {FIRST_WORDS_LIMIT_S})"
    )
    print(
        f"whole answer p50 / p95              {np.median(whole):6.2f} / {p95_whole:.2f} s (limit {WHOLE_LIMIT_S})"
    )
    print(f"eight answers, engine               {round_s:6.2f} s   1.00")
    print(f"eight answers, generate one by one  {one_by_one_s:6.2f} s   {one_by_one_s / round_s:.2f}")
    print(f"eight answers, generate as a batch  {batch_s:6.2f} s   {batch_s / round_s:.2f}")
    assert p95_first <= FIRST_WORDS_LIMIT_S
    assert p95_whole <= WHOLE_LIMIT_S


if __name__ == "__main__":
    main()
