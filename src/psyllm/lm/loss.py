"""The one loss of training, choosing checkpoints and measuring.

In: a model and rows. Out: the sum of negative log-likelihoods in nats over the
learnt tokens, in fp32. Only positions that are learnt pass through the model's
head, which is most of the work of a small model. Nothing here keeps state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from psyllm.lm.pack import Rows
from psyllm.lm.template import NOT_LEARNT

Batch = Mapping[str, torch.Tensor]


def to_batch(rows: Rows) -> dict[str, torch.Tensor]:
    """Return the rows as tensors of shape (rows, length), named as the model wants them."""
    return {
        "input_ids": torch.from_numpy(rows.ids).long(),
        "labels": torch.from_numpy(rows.labels).long(),
        "position_ids": torch.from_numpy(rows.positions).long(),
    }


def token_losses(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Return the loss of every learnt token in nats, row by row, shape (learnt tokens,).

    Never passes an attention mask and never a cache (see `pack`).
    """
    body: Any = model.base_model
    find_head: Callable[[], Any] = model.get_output_embeddings
    head = find_head()
    hidden = body(
        input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
    ).last_hidden_state
    learnt = batch["labels"][:, 1:]
    chosen = learnt != NOT_LEARNT
    logits = head(hidden[:, :-1][chosen])
    return functional.cross_entropy(logits.float(), learnt[chosen], reduction="none")
