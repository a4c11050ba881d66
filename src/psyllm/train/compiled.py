"""torch.compile of a model's blocks: when it pays, whether it can, and how to be rid of it.

In: a model and a setting. Out: a block in which the model's body runs compiled.
Measured on a processor in fp32 (the shape of the preset `laptop`, one core):
1,318 tokens a CPU second against 1,398 uncompiled, and 27 s for the first step;
with bf16 arithmetic, no dropout and rows of one length 15 to 25 % faster, which
a run of minutes does not earn back. With dropout it is a loss. So `auto` takes
it on cards only. Nothing here changes a result but last digits, and a missing
compiler leaves the model uncompiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from psyllm.core.progress import report

TASK = "compiling"
# A card's first step takes minutes instead of seconds: fewer steps than these do not earn them back.
FEWEST_STEPS = 500


def wants_compiling(
    asked: Literal["auto", "on", "off"], model: PreTrainedModel, *, on_card: bool, steps: int
) -> bool:
    """Return whether compiling is asked for, or pays."""
    if asked != "auto":
        return asked == "on"
    return on_card and steps >= FEWEST_STEPS and not has_dropout(model)


def has_dropout(model: PreTrainedModel) -> bool:
    """Return whether a model drops anything while it trains."""
    said = model.config.to_dict()
    heads = ("summary", "classifier")  # of other tasks
    named = (value for name, value in said.items() if "drop" in name and not name.startswith(heads))
    shares = [value for value in named if isinstance(value, int | float) and not isinstance(value, bool)]
    layers = (layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout))
    return any(share > 0 for share in [*shares, *layers])


def compiler_fault() -> str:
    """Return why nothing can be compiled on this machine; empty if it can."""
    try:
        torch.compile(_smallest)(torch.ones(2))
    except (RuntimeError, OSError, ImportError) as error:  # torch's own errors are RuntimeErrors
        return f"{type(error).__name__}: torch.compile finds no working compiler"
    finally:
        torch.compiler.reset()
    return ""


@contextmanager
def compiled(model: PreTrainedModel, *, wanted: bool) -> Iterator[bool]:
    """Run the model's body compiled inside the block, if wanted and possible; yield whether it is."""
    fault = compiler_fault() if wanted else ""
    if fault:
        report(TASK, 1, 1, f"left out, {fault}")
    if not wanted or fault:
        yield False
        return
    body: Any = model.base_model
    # rows are of one length, steps of one size
    body.forward = torch.compile(body.forward, dynamic=False)
    try:
        yield True
    finally:
        del body.forward  # the class's own shows again
        torch.compiler.reset()


def _smallest(numbers: torch.Tensor) -> torch.Tensor:
    return numbers * 2 + 1
