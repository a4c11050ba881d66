"""What a step of training says when the memory is too small, and which settings make it fit.

In: an exception, a stage's settings. Out: whether it is about memory, and the
error with the settings to change, the cheapest first. How much memory a run
needs is not worked out here.
"""

from __future__ import annotations

import torch

from psyllm.core.errors import MemoryFull
from psyllm.core.train_settings import PreferStage, TrainingStage
from psyllm.train.parts import goes

# As torch's allocators for the processor and for cards word it in a plain RuntimeError
# (c10/core/impl/alloc_cpu.cpp, CUDAFunctions, cuBLAS): it has a class of its own for a card's main allocator only.
SAID_OF_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "defaultcpuallocator",
    "cublas_status_alloc_failed",
)


def is_about_memory(error: BaseException) -> bool:
    """Return whether an exception says that there is no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in SAID_OF_MEMORY)


def memory_full(
    name: str,
    stage: TrainingStage | PreferStage,
    length: int,
    *,
    checkpointing: bool,
    processes: int = 1,
    may_adapt: bool = False,
) -> MemoryFull:
    """Return the error for a stage whose step of rows of `length` tokens did not fit in one of so many processes.

    `may_adapt` says that a base is trained in all its weights, so that an adapter is another way.
    """
    fewest = fewest_at_once(stage) if isinstance(stage, PreferStage) else 1
    at_once = (
        stage.rows_at_once or stage.batch_rows
        if isinstance(stage, PreferStage)
        else goes(stage, processes).rows
    )
    part_rows = stage.batch_rows // processes
    # half of them where that is possible, else whatever is fewer
    fits = [rows for rows in range(at_once - 1, fewest - 1, -1) if part_rows % rows == 0]
    smaller = next((rows for rows in fits if rows <= at_once // 2), fits[-1] if fits else 0)
    ways = []
    if smaller:
        # kto measures how far the model has moved on the rows that are computed together
        same = "kto compares fewer" if fewest > 1 else "the same result, but for last digits"
        ways.append(f"train.{name}.rows_at_once={smaller} ({same})")
    if not checkpointing:
        ways.append("train.gradient_checkpointing=true (the same result, slower)")
    if isinstance(stage, PreferStage):  # it has no row length of its own, and learns in all weights
        ways.append(f"train.model.context_tokens={max(length // 2, 1)} (in all stages)")
    else:
        ways.append(f"train.{name}.row_tokens={max(length // 2, 1)} (shorter rows)")
        if may_adapt:
            ways.append("train.adapter.method=lora (trains few weights)")
    message = f"the memory does not hold {at_once} rows of {length} tokens at once in {name}"
    return MemoryFull(message, f"set one of these, the first first: {'; '.join(ways)}")


def fewest_at_once(stage: TrainingStage | PreferStage) -> int:
    """Return how few rows may be computed together: KTO compares neighbours."""
    return 2 if isinstance(stage, PreferStage) and stage.method != "dpo" else 1
