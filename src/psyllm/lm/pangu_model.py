"""PanGu-alpha: a decoder whose last layer asks with positions instead of words.

    x = wte[ids] + wpe[positions]
    x = x + attention(ln_1(x));  x = x + mlp(ln_2(x))       in every layer but the last
    x = ln_f(x)                                             before the last layer
    x = x + attention(queries from wqe[positions], keys and values from ln_1(x));  x = x + mlp(ln_2(x))
    logits = x @ wte.T                                      with no norm after the last layer

In: token ids and what transformers gives a decoder (a mask of two or four
dimensions, positions, a cache). Out: hidden states, logits, a loss. Rows packed
by `pack` are kept apart whether or not a new cache is asked for. Nothing here
reads a tokenizer; `pangu_layouts` looks at the files before they are loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import torch
from torch import nn
from torch.nn import functional
from transformers import GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache, DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import slice_logits_to_keep
from transformers.utils import GENERATION_CONFIG_NAME
from transformers.utils.generic import can_return_tuple

from psyllm.core.errors import BadInput
from psyllm.lm.pangu_block import PanguBlock, Summed
from psyllm.lm.pangu_config import GPTPanguConfig, PanguConfig, generation_of
from psyllm.lm.pangu_layouts import check_weights
from psyllm.lm.template import NOT_LEARNT

WHOLE = ["PanguBlock"]  # kept on one device
NOT_MOVED = ["past_key_values"]
IGNORED = [r"\.attn\.bias$", r"\.attn\.masked_bias$"]  # mask buffers of old files
TIED = {"lm_head.weight": "transformer.wte.weight"}
ATTENTION = "_attn_implementation"  # where the library writes how attention is computed
LOSS_WORDS = ("num_items_in_batch", "shift_labels")  # what the Trainer tells the loss


Forward = TypeVar("Forward", bound=Callable[..., object])


def tuple_on_request(forward: Forward) -> Forward:
    """Return the method as the library wraps its own: `return_dict` says whether a tuple is given."""
    wrapped: Forward = can_return_tuple(forward)
    return wrapped


def causal_loss(
    logits: torch.Tensor,
    labels: torch.Tensor | None,
    num_items_in_batch: torch.Tensor | int | None = None,
    shift_labels: torch.Tensor | None = None,
    **_named: object,
) -> torch.Tensor:
    """Return the mean loss of the next tokens in nats, `NOT_LEARNT` left out; the signature is the Trainer's.

    With `num_items_in_batch` it is the sum over that number. Unlike the
    library's own it keeps double precision.
    """
    if shift_labels is None and labels is not None:
        shift_labels = functional.pad(labels, (0, 1), value=NOT_LEARNT)[..., 1:]
    if shift_labels is None:
        raise BadInput("a loss was asked for without labels", "pass labels or shift_labels")
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(
        wide.reshape(-1, wide.shape[-1]),
        shift_labels.reshape(-1).to(wide.device),
        ignore_index=NOT_LEARNT,
        reduction="mean" if num_items_in_batch is None else "sum",
    ) / (1 if num_items_in_batch is None else num_items_in_batch)


class GPTPanguPreTrainedModel(PreTrainedModel):
    """What body and model share: how weights start, how they are found, what the library may do."""

    config: GPTPanguConfig
    config_class = GPTPanguConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    _no_split_modules = WHOLE
    _skip_keys_device_placement = NOT_MOVED
    _keys_to_ignore_on_load_unexpected = IGNORED
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        start: Callable[..., None] = super()._init_weights
        start(module)
        # told by the layer itself: of classes outside of its own package the library passes over
        # those that hold no weight directly, so the block would never be asked
        if isinstance(module, Summed):
            std = self.config.initializer_range / math.sqrt(2 * self.config.num_layers)
            init.normal_(module.weight, mean=0.0, std=std)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | PathLike[str] | None, *model_args: object, **kwargs: object
    ) -> Self:
        """Load as the library does, after a look at the files of a local folder.

        Raises:
            BadCheckpoint: the folder's weights are not those that its config.json describes.
        """
        folder = Path(pretrained_model_name_or_path or "", str(kwargs.get("subfolder") or ""))
        is_local = pretrained_model_name_or_path is not None and folder.is_dir()
        if is_local and not kwargs.get("ignore_mismatched_sizes"):
            given = kwargs.get("config")
            config = given if isinstance(given, GPTPanguConfig) else cls.config_class.from_pretrained(folder)
            check_weights(folder, config)
        load: Callable[..., Any] = super().from_pretrained
        loaded = load(pretrained_model_name_or_path, *model_args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded  # a pair with output_loading_info
        if isinstance(model, GPTPanguForCausalLM):
            model.settle_head()
            if not kwargs.get("generation_config") and not (folder / GENERATION_CONFIG_NAME).is_file():
                model.generation_config = generation_of(model.config)
        found: Self = loaded
        return found


class Wanted(NamedTuple):
    """What a caller wants to see of the inside."""

    hidden_states: bool
    attentions: bool


class GPTPanguModel(GPTPanguPreTrainedModel):
    """The body: embeddings, layers and the top query layer."""

    def __init__(self, config: GPTPanguConfig) -> None:
        super().__init__(config)
        self.wte: nn.Module = nn.Embedding(config.vocab_size, config.hidden_size)
        self.wpe = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.wqe = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.drop = nn.Dropout(config.embd_pdrop)
        self.h = nn.ModuleList(PanguBlock(config, number) for number in range(config.num_layers))
        self.ln_f = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_epsilon)
        self.gradient_checkpointing = False
        start: Callable[[], None] = self.post_init
        start()

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding of tokens."""
        return self.wte

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Take another embedding of tokens."""
        self.wte = value

    @tuple_on_request
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        *,
        use_cache: bool | None = None,
        **kwargs: object,
    ) -> BaseModelOutputWithPast:
        """Return hidden states of shape (batch, time, width), as the library's decoders do.

        Raises:
            BadInput: a row is longer than the model has positions.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise BadInput("tokens came twice or not at all", "pass either input_ids or inputs_embeds")
        wanted = self._wanted(kwargs)
        words = self.wte(input_ids) if inputs_embeds is None else inputs_embeds
        positions = self._positions(words, position_ids, past_key_values)
        mask: Any = create_causal_mask(
            config=self.config,
            inputs_embeds=words,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=positions,
            allow_is_causal_skip=not wanted.attentions,
        )
        if past_key_values is None and self._caches(use_cache=use_cache):
            # made after the mask, which takes packed rows for one text as soon as it sees a cache
            past_key_values = DynamicCache(config=self.config)
        hidden = words + self.wpe(positions)
        if token_type_ids is not None:
            hidden = hidden + self.wte(token_type_ids)
        kwargs |= {"past_key_values": past_key_values, "position_ids": positions}
        hidden, seen, shares = self._through_layers(self.drop(hidden), mask, wanted, kwargs)
        return BaseModelOutputWithPast(
            last_hidden_state=hidden,
            past_key_values=past_key_values,
            hidden_states=(*seen, hidden) if wanted.hidden_states else None,
            attentions=tuple(shares) if wanted.attentions else None,
        )

    def _through_layers(
        self, hidden: torch.Tensor, mask: torch.Tensor | None, wanted: Wanted, kwargs: dict[str, Any]
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """Return what comes out of the last layer, and if wanted what went into each and its shares."""
        attention = getattr(self.config, ATTENTION)
        if wanted.attentions and attention == "sdpa":
            attention = "eager"  # sdpa does not tell the shares
        queries = self.wqe(kwargs["position_ids"]).expand(hidden.shape)
        seen: list[torch.Tensor] = []
        shares: list[torch.Tensor] = []
        for number, block in enumerate(self.h):
            is_top = number == len(self.h) - 1
            hidden = self.ln_f(hidden) if is_top else hidden
            if wanted.hidden_states:
                seen.append(hidden)
            # tensors by place, for checkpointing sees the gradients of no others
            hidden, found = block(hidden, queries if is_top else None, mask, attention=attention, **kwargs)
            if wanted.attentions and found is not None:
                shares.append(found)
        return hidden, seen, shares

    def _wanted(self, kwargs: dict[str, object]) -> Wanted:
        """Take the wishes about the output out of `kwargs`; the configuration fills in."""
        found = {name: kwargs.pop(name, None) for name in ("output_hidden_states", "output_attentions")}
        told = {name: getattr(self.config, name) if value is None else value for name, value in found.items()}
        # layers may be asked for by number, 0 among them: then all are given
        hidden_states = told["output_hidden_states"]
        return Wanted(
            hidden_states=hidden_states is not None and hidden_states is not False,
            attentions=bool(told["output_attentions"]),
        )

    def _caches(self, *, use_cache: bool | None) -> bool:
        if self.gradient_checkpointing and self.training:
            return False
        return bool(self.config.use_cache if use_cache is None else use_cache)

    def _positions(
        self, words: torch.Tensor, position_ids: torch.Tensor | None, cache: Cache | None
    ) -> torch.Tensor:
        """Return the positions, shape (batch or 1, time), refusing those that the tables do not have."""
        time, most = words.shape[1], self.config.max_position_embeddings
        if position_ids is None:
            before = 0 if cache is None else cache.get_seq_length()
            position_ids = (torch.arange(time, device=words.device) + before)[None]
            longest: Any = time + before
        elif position_ids.device.type == "cpu" and not torch.compiler.is_compiling():
            longest = int(position_ids.max()) + 1
        else:
            longest = time  # asking a graphics card for the largest would make it wait
        if not isinstance(longest, torch.Tensor) and longest > most:
            message = f"a row reaches position {longest}, the model has {most}"
            raise BadInput(message, f"cut the prompt so that it and the answer have at most {most} tokens")
        return position_ids


class GPTPanguForCausalLM(GPTPanguPreTrainedModel, GenerationMixin):
    """The language model: the body, and its embedding as head."""

    _tied_weights_keys = TIED

    def __init__(self, config: GPTPanguConfig) -> None:
        super().__init__(config)
        self.transformer = GPTPanguModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.loss_function = causal_loss
        self.generation_config = generation_of(config)
        start: Callable[[], None] = self.post_init
        start()

    def settle_head(self) -> None:
        """Write down whether the loaded head is the embedding.

        Where they differ the library keeps them apart, but the next
        `tie_weights` would join them if the configuration still said so.
        """
        if self.lm_head.weight is not self.transformer.wte.weight:
            self.config.tie_word_embeddings = False

    @tuple_on_request
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: object,
    ) -> CausalLMOutputWithPast:
        """Return logits of shape (batch, time, vocabulary); with labels also the loss of the next tokens.

        Raises:
            BadInput: a row is longer than the model has positions.
        """
        told = {key: kwargs.pop(key) for key in LOSS_WORDS if key in kwargs}
        found = self.transformer(
            input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            return_dict=True,
            **kwargs,
        )
        logits = self.lm_head(slice_logits_to_keep(found.last_hidden_state, logits_to_keep))
        loss = None
        if labels is not None or told.get("shift_labels") is not None:
            loss = self.loss_function(logits, labels, vocab_size=self.config.vocab_size, **told)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=found.past_key_values,
            hidden_states=found.hidden_states,
            attentions=found.attentions,
        )


class PanguModel(GPTPanguModel):
    """The body under the other name."""

    config_class = PanguConfig


class PanguForCausalLM(GPTPanguForCausalLM):
    """The model under the other name."""

    config_class = PanguConfig
