"""The shape of a causal model: what its config.json says of sizes, and how many weights that makes.

In: a config as it lies in a checkpoint's folder. Out: a `Shape`, the numbers
that its memory follows from (see `memory`). Families that are not known are
taken for Llama's, which most models of today resemble. Nothing here imports
torch or opens a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from psyllm.core.errors import BadCheckpoint

Family: TypeAlias = Literal["gpt2", "pangu", "llama", "qwen3"]
# Other families with Llama's block; what tells them apart weighs little.
FAMILIES: dict[str, Family] = {
    "gpt2": "gpt2",
    "gpt_pangu": "pangu",
    "pangu": "pangu",
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "llama",
    "qwen3": "qwen3",
}
# Tensors of the feed-forward's size that autograd keeps for an activation, the product after it among them:
# PyTorch's own are one operation, and training takes them where it can (see `activation`); one that
# transformers spells out in Python keeps every step (counted in tests/lm/test_memory.py).
KEPT_BY_ACTIVATION = {"quick_gelu": 4}
KEPT_BY_PLAIN_ACTIVATION = 2
KEPT_BY_GATE = 4


class Weights(NamedTuple):
    """Numbers of weights; `head` is 0 where it is the embeddings' own."""

    embeddings: int
    matrices: int
    vectors: int
    head: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


@dataclass(frozen=True)
class Shape:
    """Sizes of a causal model; `positions` only counts where positions are learnt."""

    family: Family
    layers: int
    width: int
    heads: int
    key_heads: int
    head_size: int
    feed_forward: int
    vocabulary: int
    positions: int
    activation: str = "silu"
    dropout: float = 0.0
    tied: bool = True
    biased_heads: bool = False
    biased_output: bool = False

    @property
    def is_gated(self) -> bool:
        """Whether the feed-forward has a gate (SwiGLU), and the norms no mean (RMSNorm)."""
        return self.family in {"llama", "qwen3"}

    @property
    def queried(self) -> int:
        """The width of all heads together."""
        return self.heads * self.head_size

    @property
    def keyed(self) -> int:
        """The width of all heads' keys."""
        return self.key_heads * self.head_size

    def weights(self) -> Weights:
        """Return how many weights there are."""
        attention = self.width * (2 * self.queried + 2 * self.keyed)
        feeding = (3 if self.is_gated else 2) * self.width * self.feed_forward
        embeddings = self.vocabulary * self.width
        head = 0 if self.tied else embeddings
        if self.is_gated:
            in_block = 2 * self.width
            in_block += (self.queried + 2 * self.keyed) if self.biased_heads else 0
            in_block += self.width if self.biased_output else 0
            in_block += 2 * self.head_size if self.family == "qwen3" else 0
            vectors = self.layers * in_block + self.width
        else:
            # two norms, four projections, two layers of the feed-forward; one norm more at the end
            vectors = self.layers * (9 * self.width + self.feed_forward) + 2 * self.width
            embeddings += self.positions * self.width * (2 if self.family == "pangu" else 1)
        return Weights(embeddings, self.layers * (attention + feeding), vectors, head)

    def kept_by_feed_forward(self) -> int:
        """Return how many tensors of the feed-forward's size autograd keeps in a block."""
        if self.is_gated:
            return KEPT_BY_GATE
        return KEPT_BY_ACTIVATION.get(self.activation, KEPT_BY_PLAIN_ACTIVATION)


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return the shape that a config.json tells.

    Raises:
        BadCheckpoint: it lacks a size, or calls it by a name that is not known here.
    """
    family = FAMILIES.get(str(config.get("model_type", "")), "llama")
    width = int(_first(config, "hidden_size", "n_embd"))
    heads = int(_first(config, "num_attention_heads", "num_heads", "n_head"))
    gated = family in {"llama", "qwen3"}
    drops = ("attention_dropout",) if gated else ("resid_pdrop", "attn_pdrop", "embd_pdrop")
    return Shape(
        family=family,
        layers=int(_first(config, "num_hidden_layers", "num_layers", "n_layer")),
        width=width,
        heads=heads,
        key_heads=int(config.get("num_key_value_heads") or heads) if gated else heads,
        head_size=int((config.get("head_dim") if gated else None) or width // heads),
        feed_forward=int(_first(config, "intermediate_size", "n_inner", default=4 * width)),
        vocabulary=int(_first(config, "vocab_size")),
        positions=int(_first(config, "max_position_embeddings", "n_positions", default=0)),
        activation=str(_first(config, "hidden_act", "activation_function", default="silu")),
        # classes of GPT-2's kind drop a tenth where the config is silent
        dropout=max(float(config.get(name, 0.0 if gated else 0.1)) for name in drops),
        tied=bool(config.get("tie_word_embeddings", not gated)),
        biased_heads=bool(config.get("attention_bias", config.get("model_type") == "qwen2")),
        biased_output=bool(config.get("attention_bias", False)),
    )


def _first(config: Mapping[str, Any], *names: str, default: float | str | None = None) -> float | str:
    found: float | str | None = next(
        (config[name] for name in names if config.get(name) is not None), default
    )
    if found is None:
        message = (
            f"config.json names no {' or '.join(names)}: how much memory such a model takes is not known"
        )
        raise BadCheckpoint(message, "train it without a plan: --set train.plan=off")
    return found
