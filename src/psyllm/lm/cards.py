"""The graphics cards that a training may be planned for, by name.

In: words such as "V100 32". Out: how much memory the card gives a program and
whether it computes in bf16. Nothing here asks a machine.
"""

from __future__ import annotations

from typing import NamedTuple

from psyllm.core.errors import BadSetting
from psyllm.lm.memory import GIB, Device

# What the driver and the error correction take of a card's memory (31.7 of 32 GiB on a V100).
USABLE_SHARE = 0.99
# GiB by the makers' data sheets; bf16 came with Ampere.
CARDS: dict[str, tuple[float, bool]] = {
    "T4 16": (16, False),
    "V100 16": (16, False),
    "V100 32": (32, False),
    "RTX 3060 12": (12, True),
    "RTX 3090 24": (24, True),
    "RTX 4090 24": (24, True),
    "A100 40": (40, True),
    "A100 80": (80, True),
    "H100 80": (80, True),
    "H200": (141 * 10**9 / GIB, True),  # sold as 141 GB, not GiB
}


class Card(NamedTuple):
    """What a training has to fit into: a card, or the processor's memory."""

    name: str
    free_bytes: int
    device: Device
    has_bf16: bool


def card_named(name: str) -> Card:
    """Return a card of the table.

    Raises:
        BadSetting: there is none of that name.
    """
    found = {known.lower(): known for known in CARDS}.get(" ".join(name.lower().split()))
    if found is None:
        message = f"no card named {name} is known"
        raise BadSetting(message, f"choose one of: auto, cpu, {', '.join(CARDS)}")
    size_gib, has_bf16 = CARDS[found]
    return Card(found, int(size_gib * GIB * USABLE_SHARE), "cuda", has_bf16)
