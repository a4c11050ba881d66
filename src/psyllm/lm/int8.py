"""Weights in a quarter of their size: every row of a matrix as whole numbers and one scale.

In: a model in fp32. Out: `model.int8.safetensors`, and from it fp32 weights
again, whose error is at most half of a row's largest weight divided by 127.
Vectors stay fp32: they are few and sensitive. The file has a name of its own,
so that a program that does not know the form finds no weights rather than
wrong ones. Nothing here computes in int8.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

INT8_FILE = "model.int8.safetensors"
SCALE = ".row_scale"
LARGEST = 127


def write_int8(folder: Path, model: torch.nn.Module) -> None:
    """Write the weights of a model, tied ones once; the same bytes for the same model."""
    seen: set[int] = set()
    weights: dict[str, torch.Tensor] = {}
    for name, weight in model.state_dict().items():
        if weight.data_ptr() not in seen:
            seen.add(weight.data_ptr())
            weights |= pack(name, weight)
    save_file(weights, folder / INT8_FILE, metadata={"format": "pt"})


def read_int8(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights in fp32."""
    kept = load_file(folder / INT8_FILE)
    scales = {name.removesuffix(SCALE): kept.pop(name) for name in list(kept) if name.endswith(SCALE)}
    return {
        name: weight.float() * scales[name][:, None] if name in scales else weight
        for name, weight in kept.items()
    }


def pack(name: str, weight: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return a matrix as whole numbers with its scales, shape (rows,); anything else in fp32."""
    weight = weight.detach().float().cpu().contiguous()
    if weight.dim() != 2:
        return {name: weight}
    scale = weight.abs().amax(dim=1) / LARGEST
    whole = (weight / torch.where(scale > 0, scale, 1.0)[:, None]).round().clamp(-LARGEST, LARGEST)
    return {name: whole.to(torch.int8), f"{name}{SCALE}": scale}
