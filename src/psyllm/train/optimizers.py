"""The optimisers of a stage: AdamW, and Muon for models trained from nothing.

In: a model and a stage's settings. Out: one optimiser that transformers'
Trainer can save and load. Muon (Jordan and others, 2024) takes the momentum of
a matrix, makes it orthogonal by five Newton-Schulz steps and so moves all of
its directions alike; embeddings, norms and biases keep AdamW. torch has a Muon
of its own, which computes in bf16 whatever the machine: 300 times slower on a
processor without such arithmetic (docs/log.md), and matrix by matrix, where
equal shapes here share one product. Nothing here schedules rates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.adamw import adamw

from psyllm.core.train_settings import TrainingStage

BETAS = (0.9, 0.95)  # 0.999 forgets too slowly for a few hundred steps
EPSILON = 1e-8
MOMENTUM = 0.95
# The quintic of Muon's authors: it pulls singular values to between .7 and 1.2 in five steps.
QUINTIC = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
# An orthogonal step of a matrix (rows, columns) has a root mean square of 1 / sqrt(max(rows, columns)),
# AdamW's about 0.2 to 0.4: scaled so, one learning rate serves both (Moonlight, arXiv 2502.16982).
ADAMW_RMS = 0.2


class MuonAdamW(torch.optim.Optimizer):
    """Muon for the matrices of the blocks, AdamW for all else, under one learning rate."""

    def __init__(self, model: torch.nn.Module, learning_rate: float, weight_decay: float) -> None:
        inside, outside, plain = _parted(model)
        groups = [
            {"params": inside, "muon": True, "weight_decay": weight_decay},
            {"params": outside, "muon": False, "weight_decay": weight_decay},
            {"params": plain, "muon": False, "weight_decay": 0.0},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:  # noqa: ANN401 - as the base class
        """Take one step; a closure is not supported, as Trainer gives none."""
        if closure is not None:
            message = "this optimiser takes no closure"
            raise NotImplementedError(message)
        for group in self.param_groups:
            known = [weight for weight in group["params"] if weight.grad is not None]
            if group["muon"]:
                self._muon(known, group)
            else:
                self._adamw(known, group)

    def _muon(self, weights: list[torch.nn.Parameter], group: dict[str, Any]) -> None:
        alike: dict[torch.Size, list[torch.Tensor]] = defaultdict(list)
        for weight in weights:
            alike[weight.shape].append(weight)
        for shape, same in alike.items():
            steps = orthogonal(torch.stack([self._direction(weight) for weight in same]))
            scale = ADAMW_RMS * max(shape) ** 0.5
            for matrix, step in zip(same, steps.to(same[0].dtype), strict=True):
                matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-group["lr"] * scale)

    def _direction(self, weight: torch.Tensor) -> torch.Tensor:
        """Return Nesterov's momentum of the gradient."""
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        gradient: Any = weight.grad
        momentum: torch.Tensor = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        direction: torch.Tensor = gradient.lerp(momentum, MOMENTUM)
        return direction

    def _adamw(self, weights: list[torch.nn.Parameter], group: dict[str, Any]) -> None:
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] = {
                    "step": torch.zeros(()),
                    "mean": torch.zeros_like(weight),
                    "square": torch.zeros_like(weight),
                }
        states = [self.state[weight] for weight in weights]
        adamw(
            list(weights),
            [weight.grad for weight in weights if weight.grad is not None],
            [state["mean"] for state in states],
            [state["square"] for state in states],
            [],
            [state["step"] for state in states],
            foreach=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=EPSILON,
            maximize=False,
        )


def build_optimizer(model: torch.nn.Module, stage: TrainingStage) -> torch.optim.Optimizer | None:
    """Return the stage's optimiser; None for AdamW, which Trainer makes itself."""
    if stage.optimizer == "muon":
        return MuonAdamW(model, stage.learning_rate, stage.weight_decay)
    return None


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Return the nearly orthogonal matrices of a stack, shape (count, rows, columns).

    In fp32, and in bf16 on a card, where it is quick and precise enough (Muon's authors).
    """
    found: torch.Tensor = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    tall = found.shape[1] > found.shape[2]
    if tall:
        found = found.mT
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    first, second, third = QUINTIC
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = found @ found.mT
        found = first * found + torch.baddbmm(square, square, square, beta=second, alpha=third) @ found
    return found.mT if tall else found


def _parted(
    model: torch.nn.Module,
) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """Return the matrices of the blocks, those of embeddings and head, and all vectors."""
    tables: set[int] = set()
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            tables.add(id(module.weight))
    head: Any = getattr(model, "get_output_embeddings", lambda: None)()
    if head is not None:
        tables.add(id(head.weight))
    inside: list[torch.nn.Parameter] = []
    outside: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for weight in model.parameters():
        if not weight.requires_grad:
            continue
        if weight.ndim != 2:
            plain.append(weight)
        else:
            (outside if id(weight) in tables else inside).append(weight)
    return inside, outside, plain
