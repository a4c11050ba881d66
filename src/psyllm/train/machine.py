"""How training uses the processor and the memory.

In: a number of threads. Out: a block that runs on them. Nothing here changes a
result, but that another number of threads gives other last digits.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel

# The arguments of mallopt(3): glibc hands large blocks back to the system at
# once and asks for them anew in every operation, which costs a fifth of the
# time of a small model's step (bench/train.py).
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
NEVER_TRIM = 2**31 - 1
TOP_PAD_BYTES = 64 * 2**20
# Up to here plain attention beats the fused one on a CPU: its backward pass is slow.
LONGEST_PLAIN_ROW_TOKENS = 512


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Run the block on so many CPU threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Let this process keep the memory it frees; only on Linux with glibc, else nothing happens."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "mallopt"):
        for name, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, NEVER_TRIM), (TOP_PAD, TOP_PAD_BYTES)):
            library.mallopt(name, value)


def choose_attention(model: PreTrainedModel, length: int) -> None:
    """Take the attention that is fastest for rows of `length` tokens on this machine."""
    if length <= LONGEST_PLAIN_ROW_TOKENS and not torch.cuda.is_available():
        model.set_attn_implementation("eager")
