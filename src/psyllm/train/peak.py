"""How fast the machine could be, and what of it a training needs: for the share of the peak.

In: a card's name or the processor itself, a model, rows. Out: operations a second and operations a
token. A card's peak is what its maker states (`cards.toml`): tokens/s times operations a token, divided by it, is
MFU. A processor's is measured once with one large matrix product, so its share says how much of the time goes
into products at all, and is named apart. Nothing here trains.
"""

from __future__ import annotations

import functools
import time
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch

from psyllm.lm.number_types import TYPES

CARDS = Path(__file__).with_name("cards.toml")
MEASURING_S = 0.25
SIDES = (128, 256, 512, 1024)  # of the measured product; larger ones gain nothing on up to 16 cores


class Peak(NamedTuple):
    """Most operations a second; 0 where nobody knows, `is_card` tells a stated peak from a measured one."""

    operations_per_s: float
    is_card: bool


def peak_of_this_machine(precision: str) -> Peak:
    """Return the peak of the card that training uses, else that of the processor on the present threads."""
    if torch.cuda.is_available():
        return Peak(card_peak(torch.cuda.get_device_name(), precision), is_card=True)
    return Peak(_measured(precision, torch.get_num_threads()), is_card=False)


def card_peak(name: str, precision: str) -> float:
    """Return what the maker states for a card in dense products, 0 for a card that is not in the table."""
    rows = tomllib.loads(CARDS.read_text("utf-8"))["card"]
    fits = (row["single" if precision == "fp32" else "half"] for row in rows if name.startswith(row["name"]))
    return float(next(fits, 0.0)) * 1e12


def operations_a_token(model: torch.nn.Module, context: int) -> float:
    """Return the operations of forward and backward pass for one token in a row of `context` tokens.

    Two for each weight of a product forward, two backward for what goes on down, two more where the weight
    learns; attention as if every token saw the whole row, as PaLM's paper (appendix B) counts.
    Recomputing for gradient checkpointing is not counted: it brings a token no further.
    """
    parts: Any = model  # transformers leaves its own methods untyped
    tables = {id(part.weight) for part in model.modules() if isinstance(part, torch.nn.Embedding)}
    head = parts.get_output_embeddings()
    if head is not None:
        tables.discard(id(head.weight))  # a table that is the head as well is multiplied with, too
    products = [weight for weight in model.parameters() if weight.ndim == 2 and id(weight) not in tables]
    weights = sum(weight.numel() for weight in products)
    learning = sum(weight.numel() for weight in products if weight.requires_grad)
    shape: int = parts.config.num_hidden_layers * parts.config.hidden_size
    return 4.0 * weights + 2.0 * learning + 12.0 * shape * context


def memory_in_use() -> dict[str, float]:
    """Return `card_bytes`, what torch holds of the card, or `process_bytes`, what this process holds."""
    if torch.cuda.is_available():
        return {"card_bytes": float(torch.cuda.memory_reserved())}
    return {"process_bytes": float(psutil.Process().memory_info().rss)}


def machine_facts() -> dict[str, str | int]:
    """Return what the manifest keeps of the machine beside its processor: memory and card, no name of anybody."""
    facts: dict[str, str | int] = {"memory_mb": psutil.virtual_memory().total // 2**20}
    if torch.cuda.is_available():
        facts["card"] = torch.cuda.get_device_name()
        facts["card_memory_mb"] = torch.cuda.get_device_properties(0).total_memory // 2**20
    return facts


@functools.cache
def _measured(precision: str, threads: int) -> float:
    """Return the best speed of a square product, within `MEASURING_S`; `threads` only tells the cache."""
    del threads
    dtype = TYPES.get(precision, torch.float32)
    best, until = 0.0, time.monotonic() + MEASURING_S
    for side in SIDES:
        square = torch.ones(side, side, dtype=dtype)  # no random numbers: training's own must not move
        operations, took = 2.0 * side**3, 0.0
        for _ in range(4):
            started = time.perf_counter()
            torch.mm(square, square)
            took = time.perf_counter() - started
            best = max(best, operations / max(took, 1e-9))
            if time.monotonic() + took > until:
                return best
        if time.monotonic() + 8 * took > until:  # the next is eight times as much work
            return best
    return best
