"""One layer of PanGu-alpha: attention and a small network, each after its own norm.

In: hidden states of shape (batch, time, width), a mask, a cache, and for the top
layer other states to ask with. Out: hidden states, and the shares of attention
where the way of computing it tells them. Names of weights are those of the
published files. Nothing here knows tokens or positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import nn
from torch.nn import functional
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from psyllm.lm.pangu_config import GPTPanguConfig

Attended: TypeAlias = tuple[torch.Tensor, torch.Tensor | None]  # what was found, and the shares if known


def eager_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_named: object,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what was attended to, (batch, time, heads, head size), and the shares, (batch, heads, time, keys).

    The mask is added, or where it is bool its False places are left out.
    """
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    elif attention_mask is not None:
        scores = scores + attention_mask
    # half precision loses shares of long rows, double precision must not be narrowed
    wide = torch.promote_types(scores.dtype, torch.float32)
    shares = functional.softmax(scores, dim=-1, dtype=wide).to(query.dtype)
    shares = functional.dropout(shares, p=dropout, training=module.training)
    return (shares @ value).transpose(1, 2), shares


class Summed(nn.Linear):
    """A projection whose result is added to the sum that runs through the model; it starts smaller."""


class PanguAttention(nn.Module):
    """Attention with a bias on all four projections; the top layer's queries come from elsewhere."""

    is_causal = True

    def __init__(self, config: GPTPanguConfig, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.hidden_size // config.num_heads
        self.scaling = self.head_dim**-0.5 if config.scale_attn_weights else 1.0
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.c_proj = Summed(config.hidden_size, config.hidden_size)
        self.attn_dropout = nn.Dropout(
            config.attn_pdrop
        )  # a module: whoever turns dropout off looks for those
        self.resid_dropout = nn.Dropout(config.resid_pdrop)

    def forward(
        self,
        hidden_states: torch.Tensor,
        query_states: torch.Tensor,
        attention_mask: torch.Tensor | None,
        past_key_values: Cache | None,
        attention: str,
        **kwargs: object,
    ) -> Attended:
        """Return what the queries find, (batch, time, width), and the shares where `attention` is eager."""
        query, key, value = (
            self._heads(projected)
            for projected in (
                self.q_proj(query_states),
                self.k_proj(hidden_states),
                self.v_proj(hidden_states),
            )
        )
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend: Callable[..., Attended] = ALL_ATTENTION_FUNCTIONS.get_interface(attention, eager_attention)
        dropout = self.attn_dropout.p if self.training else 0.0
        found, shares = attend(
            self, query, key, value, attention_mask, scaling=self.scaling, dropout=dropout, **kwargs
        )
        found = found.reshape(*hidden_states.shape[:-1], -1).contiguous()
        return self.resid_dropout(self.c_proj(found)), shares

    def _heads(self, states: torch.Tensor) -> torch.Tensor:
        return states.view(*states.shape[:-1], -1, self.head_dim).transpose(1, 2)


class PanguMLP(nn.Module):
    """Two layers with the configuration's activation between them."""

    def __init__(self, config: GPTPanguConfig) -> None:
        super().__init__()
        inner = config.intermediate_size or 0
        self.c_fc = nn.Linear(config.hidden_size, inner)
        self.c_proj = Summed(inner, config.hidden_size)
        self.act = ACT2FN[config.activation_function]
        self.dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return the same shape."""
        found: torch.Tensor = self.dropout(self.c_proj(self.act(self.c_fc(hidden_states))))
        return found


class PanguBlock(GradientCheckpointingLayer):
    """One layer; given `query_states`, it is the top query layer."""

    def __init__(self, config: GPTPanguConfig, layer_idx: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_epsilon)
        self.attn = PanguAttention(config, layer_idx)
        self.ln_2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_epsilon)
        self.mlp = PanguMLP(config)

    def forward(
        self,
        hidden_states: torch.Tensor,
        query_states: torch.Tensor | None,
        attention_mask: torch.Tensor | None,
        past_key_values: Cache | None,
        attention: str,
        **kwargs: object,
    ) -> Attended:
        """Return the hidden states, and the attention's shares where they are known."""
        normed = self.ln_1(hidden_states)
        queries = normed if query_states is None else query_states
        found, shares = self.attn(normed, queries, attention_mask, past_key_values, attention, **kwargs)
        hidden_states = hidden_states + found
        return hidden_states + self.mlp(self.ln_2(hidden_states)), shares
