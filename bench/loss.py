"""Compare losses for a large vocabulary, side by side: `python bench/loss.py [names …]`.

A Llama-shaped model of 2 layers of 384 with a vocabulary of 151,936 (Qwen's)
learns 4 rows of 256 tokens, forward and backward, in fp32 on one thread; once
with every label learnt, once with half of them. Ways: transformers' own loss,
our plain one (learnt positions only), our chunked one, and the chunked head of
TRL. Each runs in a forked process of its own. Prints learnt and unlearnt tokens
a CPU-second over the timed steps, and how far the process grew.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from forked import from_here, in_fork
from psyllm.lm.loss import summed_loss
from psyllm.lm.template import NOT_LEARNT

ROWS, ROW_TOKENS = 4, 256
VOCABULARY = 151_936
TIMED_STEPS = 2
TRL_CHUNK = 32_768  # of the vocabulary, as TRL 1.16 sets it
Loss = Callable[[Any, Mapping[str, torch.Tensor]], torch.Tensor]


def model_of_this() -> Any:  # noqa: ANN401 - transformers' class
    """Return the model, the same each time."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=ROW_TOKENS,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)


def batch_of_this(*, half: bool) -> dict[str, torch.Tensor]:
    """Return rows of random tokens."""
    ids = torch.randint(2, VOCABULARY, (ROWS, ROW_TOKENS), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    if half:
        labels[:, ::2] = NOT_LEARNT
    return {
        "input_ids": ids,
        "labels": labels,
        "position_ids": torch.arange(ROW_TOKENS).expand(ROWS, ROW_TOKENS),
    }


def transformers_loss(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:  # noqa: ANN401
    learnt = int((batch["labels"][:, 1:] != NOT_LEARNT).sum())
    found: torch.Tensor = model(**batch, use_cache=False).loss * learnt
    return found


def trl_loss(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:  # noqa: ANN401
    from trl.kernels.chunked_logprob import ChunkedLogProbFunction

    inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
    hidden = model.model(**inputs, use_cache=False).last_hidden_state[:, :-1]
    right = batch["labels"][:, 1:]
    learnt = right != NOT_LEARNT
    apply: Callable[..., tuple[torch.Tensor, ...]] = ChunkedLogProbFunction.apply
    # every position is scored, as TRL does where there is no Triton
    targets = right.masked_fill(~learnt, 0).reshape(-1)
    found = apply(
        hidden.reshape(-1, hidden.shape[-1]),
        model.lm_head.weight,
        None,
        targets,
        1.0,
        TRL_CHUNK,
        None,
        1.0,
        (),
    )
    return -(found[0] * learnt.reshape(-1)).sum()


WAYS: dict[str, Loss] = {
    "transformers": transformers_loss,
    "plain": lambda model, batch: summed_loss(model, batch, "plain"),
    "chunked": lambda model, batch: summed_loss(model, batch, "chunked"),
    "TRL": trl_loss,
}


def measured(loss: Loss, *, half: bool) -> tuple[float, int, float]:
    """Return tokens a CPU-second, bytes by which the process grew, and the first sum of losses."""
    model, batch = model_of_this(), batch_of_this(half=half)
    model.set_attn_implementation("eager")

    def step() -> float:
        model.zero_grad()
        total = loss(model, batch)
        torch.autograd.backward(total / 1000)
        return total.item()

    grown_bytes = from_here()
    first = step()
    started = time.process_time()
    for _ in range(TIMED_STEPS):
        step()
    cpu_s = (time.process_time() - started) / TIMED_STEPS
    return ROWS * ROW_TOKENS / cpu_s, grown_bytes(), first


def main() -> None:
    """Measure and print."""
    names = sys.argv[1:] or list(WAYS)
    torch.set_num_threads(1)
    trl_loss(model_of_this(), batch_of_this(half=False)) if "TRL" in names else None  # its imports
    print(f"{'':14}{'labels':>8}{'tokens/CPU-s':>14}{'grew by GB':>12}{'sum of losses':>16}")
    for name in names:
        for half in (False, True):
            speed, grown, total = in_fork(partial(measured, WAYS[name], half=half))
            labels = "half" if half else "all"
            print(f"{name:14}{labels:>8}{speed:14,.0f}{grown / 1e9:12.2f}{total:16,.3f}", flush=True)


if __name__ == "__main__":
    main()
