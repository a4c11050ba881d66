"""The one loss of training, choosing checkpoints and measuring.

In: a model and rows. Out: negative log-likelihoods in nats over the learnt
tokens, in fp32: one a token, or their sum. Only positions that are learnt pass
through the model's head, which is most of the work of a small model; where
their logits would be large they pass some at a time (see `chunked_loss`).
Nothing here keeps state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel

from psyllm.lm.chunk_size import is_large
from psyllm.lm.chunked_loss import Score, chunked_losses, chunked_sum
from psyllm.lm.pack import Rows
from psyllm.lm.template import NOT_LEARNT

Batch = Mapping[str, torch.Tensor]
LossWay: TypeAlias = Literal["auto", "plain", "chunked"]


class _Asked(NamedTuple):
    """What the head is asked: hidden states (tokens, width), the right tokens, the head and the rest of its work."""

    hidden: torch.Tensor
    targets: torch.Tensor
    head: Any
    score: Score
    is_linear: bool


def to_batch(rows: Rows) -> dict[str, torch.Tensor]:
    """Return the rows as tensors of shape (rows, length), named as the model wants them."""
    return {
        "input_ids": torch.from_numpy(rows.ids).long(),
        "labels": torch.from_numpy(rows.labels).long(),
        "position_ids": torch.from_numpy(rows.positions).long(),
    }


def token_losses(model: PreTrainedModel, batch: Batch, way: LossWay = "auto") -> torch.Tensor:
    """Return the loss of every learnt token in nats, row by row, shape (learnt tokens,).

    Never passes an attention mask and never a cache (see `pack`). Where only
    the sum is wanted `summed_loss` makes the gradients for less.
    """
    asked = _ask(model, batch)
    if _in_chunks(asked, way):
        return chunked_losses(asked.hidden, asked.targets, asked.score)
    return _at_once(asked)


def summed_loss(model: PreTrainedModel, batch: Batch, way: LossWay = "auto") -> torch.Tensor:
    """Return the sum of the losses of the learnt tokens in nats, to train on: but for rounding that of `token_losses`."""
    asked = _ask(model, batch)
    if not _in_chunks(asked, way):
        return _at_once(asked).sum()
    if not (asked.is_linear and torch.is_grad_enabled()):
        return chunked_losses(asked.hidden, asked.targets, asked.score).sum()
    return chunked_sum(asked.hidden, asked.head.weight, asked.head.bias, asked.targets)


def learnt_tokens(batch: Batch) -> int:
    """Return how many tokens the losses of a batch are of."""
    return int((batch["labels"][:, 1:] != NOT_LEARNT).sum())


def _ask(model: PreTrainedModel, batch: Batch) -> _Asked:
    # an adapter stands around the model; its layers are in the model itself
    inside: Callable[[], PreTrainedModel] | None = getattr(model, "get_base_model", None)
    model = model if inside is None else inside()
    body: Any = model.base_model
    find_head: Callable[[], Any] = model.get_output_embeddings
    head = find_head()
    hidden = body(
        input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
    ).last_hidden_state
    learnt = batch["labels"][:, 1:]
    chosen = learnt != NOT_LEARNT
    bend = _bending(model.config)
    score = head if bend is None else lambda states: bend(head(states))
    # an adapter around the head, or a weight shared out among processes, is more than one product
    is_linear = bend is None and type(head) is torch.nn.Linear and type(head.weight) is torch.nn.Parameter
    return _Asked(hidden[:, :-1][chosen], learnt[chosen], head, score, is_linear)


def _at_once(asked: _Asked) -> torch.Tensor:
    return functional.cross_entropy(asked.score(asked.hidden).float(), asked.targets, reduction="none")


def _in_chunks(asked: _Asked, way: LossWay) -> bool:
    if way != "auto":
        return way == "chunked"
    return is_large(len(asked.targets), getattr(asked.head, "out_features", 0))


def _bending(config: PreTrainedConfig) -> Score | None:
    """Return what a model does with its logits after the head: Gemma bounds them, Cohere and Granite scale them."""
    bound = getattr(config, "final_logit_softcapping", None)
    factor = getattr(config, "logit_scale", None) if "cohere" in config.model_type else None
    divisor = getattr(config, "logits_scaling", None)
    if bound:
        return lambda logits: torch.tanh(logits / bound) * bound
    if factor:
        return lambda logits: logits * factor
    if divisor:
        return lambda logits: logits / divisor
    return None
