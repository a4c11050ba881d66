"""The types of numbers that weights are kept and computed in, by the names that settings and commands give them."""

from __future__ import annotations

import torch

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
