"""In which arithmetic a forward pass is computed: what the card can, and what it needs beside it.

In: what was asked for, and the card or the processor. Out: `fp32`, `bf16` or
`fp16` (`lm/number_types.py`), or a refusal before time is spent; the gradient
scaler that fp16 needs. Weights, gradients and the optimiser's state stay fp32
in all three, so a small gradient that fp16 can't hold is scaled, not lost.
Nothing here touches a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from psyllm.core.errors import BadSetting, LossNotFinite

# NVIDIA's compute capabilities: bf16 arithmetic since Ampere (before it torch emulates bf16, slower than
# fp32), fp16 tensor cores since Volta (a Pascal card computes fp16 at a 64th of its fp32 speed).
FIRST_WITH_BF16 = (8, 0)
FIRST_WITH_FAST_FP16 = (7, 0)
# Of the scaler. Below 1 the gradients themselves, unscaled, are beyond fp16's 65,504.
LEAST_SCALE = 1.0


class Card(NamedTuple):
    """A graphics card as far as precision asks: its name, its compute capability, and whose it is."""

    name: str
    capability: tuple[int, int]
    is_amd: bool = False

    @property
    def has_bf16(self) -> bool:
        """Whether the card computes in bf16 itself."""
        return self.is_amd or self.capability >= FIRST_WITH_BF16

    @property
    def has_fast_fp16(self) -> bool:
        """Whether fp16 is quicker than fp32 on the card."""
        return self.is_amd or self.capability >= FIRST_WITH_FAST_FP16


def this_card() -> Card | None:
    """Return the card that training would use, None where there is none."""
    if not torch.cuda.is_available():
        return None
    major, minor = torch.cuda.get_device_capability()
    return Card(torch.cuda.get_device_name(), (major, minor), is_amd=torch.version.hip is not None)


def choose_precision(asked: str, card: Card | None, *, processor_has_bf16: bool) -> str:
    """Return the precision to train in.

    Raises:
        BadSetting: the card or the processor can't compute in what was asked for.
    """
    if card is None:
        if asked == "fp16":
            message = "train.precision is fp16, and this machine has no card: a processor gains nothing by it"
            raise BadSetting(message, "set train.precision=auto, or train on a machine with a card")
        automatic = "bf16" if processor_has_bf16 else "fp32"
    else:
        if asked == "bf16" and not card.has_bf16:
            found = ".".join(map(str, card.capability))
            message = f"train.precision is bf16, and {card.name} (compute capability {found}) has no bf16"
            raise BadSetting(message, "set train.precision=fp16, which keeps the weights in fp32, or auto")
        automatic = "bf16" if card.has_bf16 else "fp16" if card.has_fast_fp16 else "fp32"
    return automatic if asked == "auto" else asked


def processor_has_bf16() -> bool:
    """Return whether this machine's processor computes in bf16 itself."""
    return "avx512_bf16" in processor_facts().get("flags", "")


def processor_facts() -> dict[str, str]:
    """Return what Linux says about the first core; nothing elsewhere."""
    path = Path("/proc/cpuinfo")
    text = path.read_text("utf-8").partition("\n\n")[0] if path.is_file() else ""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def scaler_for(precision: str, device: str) -> torch.amp.GradScaler | None:
    """Return the scaler that fp16 needs, None for what needs none."""
    return torch.amp.GradScaler(device) if precision == "fp16" else None


def check_scale(scaler: torch.amp.GradScaler, stage: str, step: int) -> None:
    """Refuse to go on when no scale is small enough for the gradients.

    Raises:
        LossNotFinite: the scaler has fallen below `LEAST_SCALE`.
    """
    if scaler.get_scale() < LEAST_SCALE:
        message = (
            f"the gradients of {stage} are too large for fp16 at step {step}, whatever they are scaled by"
        )
        raise LossNotFinite(message, f"lower train.{stage}.learning_rate, or set train.precision=fp32")
