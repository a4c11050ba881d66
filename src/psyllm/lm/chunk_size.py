"""How many positions' logits are held at once, for the loss that makes them and the planner that counts them.

In: how many positions, how large a vocabulary, which device. Out: a number of
rows, or whether chunks are worth it. Nothing here imports torch.
"""

from __future__ import annotations

BYTES_OF_A_LOGIT = 4  # fp32
# Logits up to here are quicker at once; from here on chunks cost the same or less (bench/loss.py).
PLAIN_LOGITS_BYTES = 16 * 2**20
# A larger chunk is no quicker on a CPU, but with fewer rows the whole of the head's gradient is walked
# through too often (bench/loss.py); a card wants longer products (a guess until one is at hand).
CHUNK_BYTES = {"cpu": 16 * 2**20, "cuda": 256 * 2**20}
FEWEST_ROWS = 128


def is_large(tokens: int, vocabulary: int) -> bool:
    """Return whether the logits of so many tokens are better made in chunks."""
    return tokens * vocabulary * BYTES_OF_A_LOGIT > PLAIN_LOGITS_BYTES


def rows_of_chunk(tokens: int, vocabulary: int, device: str) -> int:
    """Return how many tokens' logits live at once; any device that is no CPU counts as a card."""
    room = CHUNK_BYTES["cpu" if device == "cpu" else "cuda"]
    return max(1, min(tokens, max(FEWEST_ROWS, room // (BYTES_OF_A_LOGIT * vocabulary))))
