"""How likely a model finds what a counsellor said.

In: a model folder and dialogues. Out: for each, the nats, tokens and
characters of its LAST counsellor's turn, its end counted as a token. A turn
longer than the context is scored whole, in windows whose first half is
context. Nothing here averages; `evaluate` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from psyllm.core.progress import track
from psyllm.lm.checkpoint import Checkpoint, load
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import pack_blocks
from psyllm.lm.template import NOT_LEARNT, PAD, Example, Message, encode_prompt

TASK = "scoring"


class Score(NamedTuple):
    """Sum of negative log-likelihoods in nats over `tokens`, which spell `chars` characters."""

    nll_nats: float
    tokens: int
    chars: int


def score(folder: Path, dialogues: Sequence[Sequence[Message]], *, threads: int = 0) -> list[Score]:
    """Return a score for each dialogue; every one must hold a counsellor's turn.

    Raises:
        BadCheckpoint: the model can't be loaded.
    """
    if threads:
        torch.set_num_threads(threads)
    checkpoint = load(folder)
    return [score_one(checkpoint, messages) for messages in track(dialogues, TASK, len(dialogues))]


def score_one(checkpoint: Checkpoint, messages: Sequence[Message]) -> Score:
    """Return the score of one dialogue's last counsellor's turn."""
    last = max(index for index, message in enumerate(messages) if message.role == "counsellor")
    answer = messages[last].text
    tokenizer = checkpoint.tokenizer
    answered = [*tokenizer.encode(answer), *tokenizer.frame.end]
    context = checkpoint.context_tokens
    room = max(context - len(answered), context // 2)
    prompt = encode_prompt(tokenizer, messages[:last], room)
    examples = list(windows([*prompt, *answered], len(prompt), context))
    rows = pack_blocks(examples, max(len(example.ids) for example in examples), tokenizer.mark(PAD))
    with torch.inference_mode():
        nats = token_losses(checkpoint.model, to_batch(rows)).double().sum().item()
    return Score(nats, len(answered), len(answer))


def windows(ids: list[int], known: int, context: int) -> Iterator[Example]:
    """Yield examples of at most `context` tokens in which every token after the first `known` is learnt once.

    What is known and a token more must fit into one.
    """
    done, start = known, 0
    while done < len(ids):
        end = min(start + context, len(ids))
        yield Example(ids[start:end], [NOT_LEARNT] * (done - start) + ids[done:end])
        done = end
        start = done - context // 2
