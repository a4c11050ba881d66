"""The sizes and switches of a PanGu-alpha model, as its published config.json files name them.

In: the fields of a config.json, old or ours. Out: a configuration with what the
published files leave out: where an answer ends (9, <eot>), what pads (6), that
the head is the embedding. `auto_map`, which asks for code out of the folder, is
dropped, so a saved folder never asks for it either. Nothing here computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from transformers import GenerationConfig, PreTrainedConfig

from psyllm.core.errors import BadCheckpoint

TEXT_PIECES = 40_000  # of the published vocabulary; a model may have more rows than that (13B: 40,064)
END_OF_TEXT = 9  # <eot>: documents of the pre-training end with it
PADDING = 6
# <unk> <s> </s>, <sep> <pad> <mask> <eod>: marks that are no words of an answer
NEVER_SAID = (0, 1, 2, 5, 6, 7, 8)
FEED_FORWARD_RATIO = 4


class GPTPanguConfig(PreTrainedConfig):
    """The configuration; `num_layers` counts the top query layer, `intermediate_size` None is 4 x hidden."""

    model_type = "gpt_pangu"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]
    attribute_map: ClassVar[dict[str, str]] = {
        "num_hidden_layers": "num_layers",
        "num_attention_heads": "num_heads",
    }

    vocab_size: int = TEXT_PIECES
    max_position_embeddings: int = 1024
    hidden_size: int = 2560
    intermediate_size: int | None = None
    num_layers: int = 32
    num_heads: int = 32
    activation_function: str = "gelu"
    resid_pdrop: float | int = 0.1
    embd_pdrop: float | int = 0.1
    attn_pdrop: float | int = 0.1
    layer_norm_epsilon: float | int = 1e-5
    scale_attn_weights: bool = True
    initializer_range: float | int = 0.02
    use_cache: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = END_OF_TEXT
    pad_token_id: int | None = PADDING
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs: object) -> None:
        kwargs.pop("auto_map", None)
        self._refuse_impossible_sizes()
        if self.intermediate_size is None:
            self.intermediate_size = FEED_FORWARD_RATIO * self.hidden_size
        start: Callable[..., None] = super().__post_init__
        start(**kwargs)

    def _refuse_impossible_sizes(self) -> None:
        names = ("vocab_size", "max_position_embeddings", "hidden_size", "num_layers", "num_heads")
        for name in names:
            size: object = getattr(self, name)
            if not isinstance(size, int) or size < 1:
                message = f"config.json says {name} {size!r}, which is no number of anything"
                raise BadCheckpoint(message, f"correct {name} in config.json")
        if self.hidden_size % self.num_heads:
            message = f"a width of {self.hidden_size} can't be shared by {self.num_heads} heads"
            raise BadCheckpoint(message, "correct hidden_size or num_heads in config.json")


class PanguConfig(GPTPanguConfig):
    """The same under the other name that some config.json files use."""

    model_type = "pangu"


def generation_of(config: GPTPanguConfig) -> GenerationConfig:
    """Return how to generate: where it ends, what pads, and the ids that an answer never holds.

    Marks and rows without text are suppressed where the vocabulary is the
    published one; in a smaller one the same numbers are other pieces. The cache
    is on, for one published config.json turns it off and so makes answers slow.
    """
    published = config.vocab_size >= TEXT_PIECES
    return GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        suppress_tokens=[*NEVER_SAID, *range(TEXT_PIECES, config.vocab_size)] if published else None,
        use_cache=True,
    )
