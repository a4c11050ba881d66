"""Cross entropy of a large vocabulary without its logits: computed some rows at a time.

In: hidden states of the learnt positions, the head's weight and bias, the
tokens that were right. Out: the sum of the losses in nats, or one loss a
token. The gradients of the sum are made in the forward pass, chunk by chunk
and in the place of the logits, so that the logits of one chunk are all that
ever lives, and nothing is computed twice. Matrices are multiplied in
autocast's type where there is one; the softmax is fp32 or wider. Nothing here
knows a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from psyllm.lm.chunk_size import rows_of_chunk

# So much of a chunk goes through max, exp and division at once: it stays in a core's cache.
CACHED_BYTES = 2**20
WEIGHT_ROWS = 8192  # of the head's gradient at once where products are rounded to a low type
# Lifts probabilities below fp16's smallest number; a power of two, so that it changes no other digit.
FP16_LIFT = 1024.0

Score: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
Wanted: TypeAlias = tuple[bool, bool, bool]
Gradients: TypeAlias = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]


def chunked_sum(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """Return the sum of the losses in nats; `hidden` (tokens, width), `weight` (vocabulary, width)."""
    apply: Callable[..., torch.Tensor] = _Sum.apply
    return apply(hidden, weight, bias, targets)


def chunked_losses(hidden: torch.Tensor, targets: torch.Tensor, score: Score) -> torch.Tensor:
    """Return the loss of every token in nats; `score` gives the logits of hidden states, whatever the head.

    Where gradients are wanted every chunk's logits are computed again for them.
    """

    def one(part: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(score(part).float(), right, reduction="none")

    if not len(targets):
        return one(hidden, targets)
    vocabulary = score(hidden[:1]).shape[-1]
    losses = []
    for start, end in _chunks(len(targets), vocabulary, hidden.device):
        part, right = hidden[start:end], targets[start:end]
        again = torch.is_grad_enabled()
        losses.append(checkpoint(one, part, right, use_reentrant=False) if again else one(part, right))
    return torch.cat(losses)


class _Sum(torch.autograd.Function):
    """The sum of the losses, its gradients made on the way."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's own
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        kind = hidden.device.type
        ctx.low = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        ctx.save_for_backward(hidden, weight, bias, targets)
        with torch.autocast(kind, enabled=False):
            total, ctx.gradients = _sum(
                hidden, weight, bias, targets, low=ctx.low, wanted=ctx.needs_input_grad[:3]
            )
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: ANN401
        gradients: Gradients | None = ctx.gradients
        if gradients is None:  # a second backward pass: the first one took them away
            _, gradients = _sum(*ctx.saved_tensors, low=ctx.low, wanted=ctx.needs_input_grad[:3])
        ctx.gradients = None
        # in place: the head's gradient is as large as the head
        return (*(None if one is None else one.mul_(factor) for one in gradients), None)


def _sum(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    *,
    low: torch.dtype,
    wanted: Wanted,
) -> tuple[torch.Tensor, Gradients]:
    wide = torch.promote_types(low, torch.float32)
    lift = FP16_LIFT if low == torch.float16 else 1.0
    low_hidden, low_weight = hidden.to(low), weight.to(low)
    losses = torch.empty(len(targets), dtype=wide, device=hidden.device)
    of_hidden = torch.empty_like(hidden) if wanted[0] else None
    of_weight = torch.zeros(weight.shape, dtype=wide, device=weight.device) if wanted[1] else None
    of_bias = torch.zeros(weight.shape[0], dtype=wide, device=weight.device) if wanted[2] else None
    room = rows_of_chunk(len(targets), weight.shape[0], hidden.device.type)
    space = torch.empty((room, weight.shape[0]), dtype=low, device=hidden.device)
    for start, end in _chunks(len(targets), weight.shape[0], hidden.device):
        part = low_hidden[start:end]
        logits = torch.mm(part, low_weight.t(), out=space[: end - start])
        losses[start:end] = _softmax_in_place(logits, bias, targets[start:end], wide, lift)
        if of_hidden is not None:
            of_hidden[start:end] = _product(logits, low_weight, wide).div_(lift)
        if of_weight is not None:
            _add_product(of_weight, logits, part)
        if of_bias is not None:
            of_bias += logits.sum(dim=0, dtype=wide)
    if of_weight is not None:
        of_weight = of_weight.div_(lift).to(weight.dtype) if lift != 1 else of_weight.to(weight.dtype)
    if of_bias is not None and bias is not None:
        of_bias = of_bias.div_(lift).to(bias.dtype)
    return losses.sum(), (of_hidden, of_weight, of_bias)


def _softmax_in_place(
    logits: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor, wide: torch.dtype, lift: float
) -> torch.Tensor:
    """Turn the logits into their own gradient, times `lift`, and return the losses."""
    step = len(targets)
    if logits.device.type == "cpu":
        step = max(1, CACHED_BYTES // (wide.itemsize * logits.shape[1]))
    losses = torch.empty(len(targets), dtype=wide, device=logits.device)
    for start in range(0, len(targets), step):
        narrow, right = logits[start : start + step], targets[start : start + step, None]
        scores = narrow.to(wide)  # a view where the logits are as wide
        if bias is not None:
            scores += bias
        scores -= scores.amax(dim=1, keepdim=True)
        of_right = scores.gather(1, right)
        sums = scores.exp_().sum(dim=1, keepdim=True)
        losses[start : start + step] = (sums.log() - of_right)[:, 0]
        scores /= sums
        # by addition, not by index: a probability near one must keep its small rest before it is rounded
        scores.scatter_add_(1, right, torch.full_like(of_right, -1.0))
        if lift != 1:
            scores *= lift
        if scores.data_ptr() != narrow.data_ptr():
            narrow.copy_(scores)
    return losses


def _product(first: torch.Tensor, second: torch.Tensor, wide: torch.dtype) -> torch.Tensor:
    if first.dtype == wide:
        return torch.mm(first, second)
    if first.device.type == "cuda":
        return torch.mm(first, second, out_dtype=wide)
    if first.dtype == torch.float16:  # its largest number is soon passed
        return torch.mm(first.to(wide), second.to(wide))
    return torch.mm(first, second).to(wide)


def _add_product(into: torch.Tensor, logits: torch.Tensor, part: torch.Tensor) -> None:
    """Add the head's gradient of one chunk without rounding the sum to a low type."""
    if logits.dtype == into.dtype:
        into.addmm_(logits.t(), part)
        return
    for start in range(0, len(into), WEIGHT_ROWS):
        end = min(start + WEIGHT_ROWS, len(into))
        into[start:end] += _product(logits[:, start:end].t(), part, into.dtype)


def _chunks(tokens: int, vocabulary: int, device: torch.device) -> Iterator[tuple[int, int]]:
    step = rows_of_chunk(tokens, vocabulary, device.type)
    for start in range(0, tokens, step):
        yield start, min(start + step, tokens)
