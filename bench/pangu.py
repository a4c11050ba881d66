"""PanGu-alpha beside transformers' GPT-2 of the same size: the cost of its query layer and of our code.

Run `python bench/pangu.py [THREADS]`. Both models have the same layers, width,
heads, vocabulary and positions, random weights and no dropout, in fp32; both
read the same ids. PanGu has one table of positions more and projects queries,
keys and values one by one, as its published weights are; GPT-2 does it in one
product. Reads forward (one row, with and without a mask), forward and backward
of a batch, and answers of one row with a cache. Rounds take turns, and the
median counts. Prints tokens per second of the processor and the ratios.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from psyllm.lm.pangu_config import GPTPanguConfig
from psyllm.lm.pangu_model import GPTPanguForCausalLM

SEED = 20261125
ROUNDS = 5
LAYERS, WIDTH, HEADS, VOCABULARY, POSITIONS = 6, 384, 6, 8192, 256
ROWS = 4
NEW_TOKENS = 48


class Kind(NamedTuple):
    """What is measured: its name, the tokens of one round, the round."""

    name: str
    tokens: int
    once: Callable[[PreTrainedModel], object]


def models() -> dict[str, PreTrainedModel]:
    """Return both models, made from the same seed."""
    torch.manual_seed(SEED)
    ours = GPTPanguForCausalLM(
        GPTPanguConfig(
            num_layers=LAYERS,
            hidden_size=WIDTH,
            num_heads=HEADS,
            vocab_size=VOCABULARY,
            max_position_embeddings=POSITIONS,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
    )
    theirs = GPT2LMHeadModel(
        GPT2Config(
            n_layer=LAYERS,
            n_embd=WIDTH,
            n_head=HEADS,
            vocab_size=VOCABULARY,
            n_positions=POSITIONS,
            activation_function="gelu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=9,
            pad_token_id=6,
        )
    )
    return {"PanGu, ours": ours, "GPT-2, transformers": theirs}


def kinds() -> list[Kind]:
    """Return what is measured, on ids that are the same for both."""
    ids = torch.randint(10, VOCABULARY, (ROWS, POSITIONS), generator=torch.Generator().manual_seed(SEED))
    mask = torch.ones_like(ids)
    mask[1, :40] = 0
    start = ids[:1, :32]

    def read(model: Any, **named: torch.Tensor) -> object:  # noqa: ANN401
        with torch.inference_mode():
            return model.eval()(ids, use_cache=False, **named)

    def learn(model: Any) -> None:  # noqa: ANN401
        model.train()
        model(ids, labels=ids, use_cache=False).loss.backward()
        model.zero_grad()

    def answer(model: Any) -> object:  # noqa: ANN401
        return model.eval().generate(
            start,
            attention_mask=torch.ones_like(start),
            max_new_tokens=NEW_TOKENS,
            eos_token_id=None,
            do_sample=False,
        )

    return [
        Kind("forward", ids.numel(), read),
        Kind("forward, padded", ids.numel(), lambda model: read(model, attention_mask=mask)),
        Kind("forward and backward", ids.numel(), learn),
        Kind("greedy answer with a cache", NEW_TOKENS, answer),
    ]


def speeds(kind: Kind, both: dict[str, PreTrainedModel]) -> dict[str, float]:
    """Return each model's tokens per second of the processor, the median of rounds that take turns."""
    spent: dict[str, list[float]] = {name: [] for name in both}
    for round_number in range(ROUNDS + 1):
        for name, model in both.items():
            started = time.process_time()
            kind.once(model)
            if round_number:  # the first warms up
                spent[name].append(time.process_time() - started)
    return {name: kind.tokens / median(seconds) for name, seconds in spent.items()}


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    both = models()
    for name, model in both.items():
        print(f"{name}: {sum(weight.numel() for weight in model.parameters()):,} weights")
    print(
        f"{'tokens per second of the processor':36}"
        + "".join(f"{name:>22}" for name in both)
        + f"{'ratio':>8}"
    )
    for kind in kinds():
        found = speeds(kind, both)
        ours, theirs = found.values()
        print(f"{kind.name:36}{ours:22,.0f}{theirs:22,.0f}{ours / theirs:8.2f}")


if __name__ == "__main__":
    main()
