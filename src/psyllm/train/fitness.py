"""Whether a base can be trained at all: causal, aware where packed rows begin a new text, with a head of one layer.

In: a model, before anything is spent. Out: nothing, or an error with the
reason. A base is asked, not looked up: what a class is called says neither. A
model that attends to what follows learns nothing but copying; one that does not
read block borders from the positions lets strangers' dialogues leak into each
other, and its loss falls all the same. Nothing here changes a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from psyllm.core.errors import BadCheckpoint, BadSetting
from psyllm.lm.loss import token_losses

# Of the largest hidden value. Rounding of fp32 gives 1e-6; what leaks was 0.26 and more where it was measured
# (the design's notes on packing), and some of it in every tiny model of random weights.
MOST_DIFFERENCE = 1e-4
# In nats a token. Rounding gives 1e-6; a ModernBERT decoder, whose head has a layer before its last, differed by 0.04.
MOST_LOSS_DIFFERENCE = 1e-3
LENGTH = 6
OTHER_BASE = (
    "name a decoder that writes from left to right, such as GPT-2, Llama, Qwen or PanGu: --base FOLDER"
)


def check_base(model: PreTrainedModel, folder: Path) -> None:
    """Refuse a base that can't be trained on packed rows.

    Raises:
        BadCheckpoint: its numbers are none, it sees later tokens, or beyond the borders of packed texts,
        or its head is more than one layer.
    """
    # first: nothing is near to what is no number, and fused attention may hide it
    for name, weight in model.named_parameters():
        if weight.is_floating_point() and not weight.isfinite().all():
            message = f"{folder} has broken weights: {name} holds what is no number or endless"
            raise BadCheckpoint(message, "fetch or copy the base again, or name another: --base FOLDER")
    was_training = model.training
    model.train(mode=False)
    ids = torch.arange(2 * LENGTH) % max(min(_rows(model), 2 * LENGTH), 1)
    try:
        causal, apart = is_causal(model, ids[:LENGTH]), keeps_apart(model, ids)
        whole = causal and apart and has_plain_head(model, ids)
    except (TypeError, AttributeError) as error:  # its forward pass takes or gives other things
        message = f"{folder} can't be called as a causal language model with positions"
        raise BadCheckpoint(message, OTHER_BASE) from error
    finally:
        model.train(was_training)
    if not causal:
        message = f"{folder} is no causal language model: what it says of a token depends on later ones"
        raise BadCheckpoint(message, OTHER_BASE)
    if not apart:
        message = f"{folder} does not keep texts apart that are packed into one row"
        raise BadCheckpoint(message, OTHER_BASE)
    if not whole:
        message = f"{folder} does more between its layers and its logits than training would see"
        raise BadCheckpoint(message, OTHER_BASE)


def check_length(model: PreTrainedModel, length: int, name: str) -> None:
    """Refuse rows that are longer than the model has positions.

    Raises:
        BadSetting: they are.
    """
    most = getattr(model.config, "max_position_embeddings", None)
    if most is not None and length > most:
        message = f"the rows of {name} have {length} tokens, the model has {most} positions"
        raise BadSetting(
            message, f"set train.{name}.row_tokens or train.model.context_tokens to at most {most}"
        )


def is_causal(model: PreTrainedModel, ids: torch.Tensor) -> bool:
    """Return whether another last token leaves everything before it as it is; `ids` of shape (tokens,)."""
    other = ids.clone()
    other[-1] = (ids[-1] + 1) % max(_rows(model), 2)
    positions = torch.arange(len(ids))
    return _near(_hidden(model, ids, positions)[:-1], _hidden(model, other, positions)[:-1])


def keeps_apart(model: PreTrainedModel, ids: torch.Tensor) -> bool:
    """Return whether the second half says in a row with the first what it says alone."""
    half = len(ids) // 2
    alone = torch.arange(half)
    together = _hidden(model, ids, torch.cat([alone, alone]))[half:]
    return _near(together, _hidden(model, ids[half:], alone))


def has_plain_head(model: PreTrainedModel, ids: torch.Tensor) -> bool:
    """Return whether the loss that training sees is that of the model's own logits; `ids` of shape (tokens,).

    Training takes the last layer for the whole head (see `lm.loss`): of another head a part would not learn.
    """
    device = next(model.parameters()).device
    row = ids[None].to(device)
    positions = torch.arange(len(ids), device=device)[None]
    whole: Any = model
    with torch.no_grad():
        logits = whole(input_ids=row, position_ids=positions, use_cache=False).logits[0, :-1].float()
        own = functional.cross_entropy(logits, row[0, 1:], reduction="none")
        seen = token_losses(model, {"input_ids": row, "labels": row, "position_ids": positions})
    return bool((own - seen).abs().max() <= MOST_LOSS_DIFFERENCE)


def _hidden(model: PreTrainedModel, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Return what the body gives, shape (tokens, width): called as training calls it, without mask and cache."""
    body: Any = model.base_model
    device = next(model.parameters()).device
    with torch.no_grad():
        said = body(input_ids=ids[None].to(device), position_ids=positions[None].to(device), use_cache=False)
    hidden: torch.Tensor = said.last_hidden_state[0].float()
    return hidden


def _near(first: torch.Tensor, second: torch.Tensor) -> bool:
    scale = max(float(first.abs().max()), 1e-6)
    return float((first - second).abs().max()) <= MOST_DIFFERENCE * scale


def _rows(model: PreTrainedModel) -> int:
    return int(getattr(model.config, "vocab_size", 0))
