"""A model's weights and shape as llama.cpp's loader expects them.

In: a Llama-, Qwen3- or GPT-2-shaped model. Out: its architecture's name, the
numbers that describe it, and the weights under llama.cpp's names, GPT-2's
matrices turned and Llama's queries and keys reordered, for llama.cpp turns
neighbouring pairs where transformers turns the two halves of a head. What
llama.cpp would compute otherwise is refused. Nothing here writes a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gguf
import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from psyllm.core.errors import BadCheckpoint

Array = npt.NDArray[np.float32]
TURNED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
# llama.cpp has GELU in this form only
TANH_GELU = frozenset({"gelu_new", "gelu_fast", "gelu_pytorch_tanh"})
INSTEAD = "export it as safetensors: --form safetensors"
REASONS = {
    "gpt_pangu": "llama.cpp has no PanGu-alpha (its pangu-embedded is another model): nothing there makes a query of a position",
}
REASONS["pangu"] = REASONS["gpt_pangu"]
DECODERS = ("llama", "qwen3")


class Described(NamedTuple):
    """`numbers` are GGUF's keys without the architecture's name before them."""

    architecture: str
    layers: int
    numbers: dict[str, int | float]


def check_type(model_type: str) -> None:
    """Refuse a type of model that can't be written, before it is loaded.

    Raises:
        BadCheckpoint: llama.cpp has no such model, or it is not known here.
    """
    if model_type not in {"gpt2", *DECODERS}:
        unknown = f"models of the type {model_type} are not known here in llama.cpp's form"
        raise BadCheckpoint(REASONS.get(model_type, unknown), INSTEAD)


def describe(model: PreTrainedModel, context_tokens: int) -> Described:
    """Return what llama.cpp must be told of a model.

    Raises:
        BadCheckpoint: llama.cpp would compute it otherwise.
    """
    config: Any = model.config
    return (_decoder if config.model_type in DECODERS else _gpt2)(config, context_tokens)


def named_weights(model: PreTrainedModel, described: Described) -> Iterator[tuple[str, Array]]:
    """Yield the weights under llama.cpp's names; a tied head is left out, as its loader has it.

    Raises:
        BadCheckpoint: llama.cpp has no place for a weight.
    """
    names = gguf.get_tensor_name_map(_architecture(described), described.layers)
    find_head: Callable[[], Any] = model.get_output_embeddings
    body: Any = model.get_input_embeddings()
    tied = find_head().weight.data_ptr() == body.weight.data_ptr()
    for name, weight in model.state_dict().items():
        if tied and name.startswith("lm_head."):
            continue
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            message = f"llama.cpp's {described.architecture} has no place for the weight {name}"
            raise BadCheckpoint(message, INSTEAD)
        yield found, _as_llama_cpp(name, weight, model)


def turn_pairs(array: Array, heads: int) -> Array:
    """Return rows of queries or keys as llama.cpp turns them: the first of each half, second, third."""
    halves = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(array.shape))


def _as_llama_cpp(name: str, weight: torch.Tensor, model: PreTrainedModel) -> Array:
    config: Any = model.config
    array: Array = weight.detach().float().cpu().numpy()
    if config.model_type == "gpt2" and name.endswith(TURNED):
        return np.ascontiguousarray(array.T)
    if config.model_type == "llama" and ".q_proj." in name:
        return turn_pairs(array, config.num_attention_heads)
    if config.model_type == "llama" and ".k_proj." in name:
        return turn_pairs(array, config.num_key_value_heads)
    return array


def _decoder(config: Any, context_tokens: int) -> Described:  # noqa: ANN401 - transformers' own
    rope = config.rope_parameters
    if rope.get("rope_type", "default") != "default" or rope.get("partial_rotary_factor", 1) != 1:
        message = f"rotary positions of the type {rope.get('rope_type')} are not written as GGUF here"
        raise BadCheckpoint(message, INSTEAD)
    if config.hidden_act != "silu":
        message = f"llama.cpp computes this model with silu, not with {config.hidden_act}"
        raise BadCheckpoint(message, INSTEAD)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    numbers = {
        "context_length": context_tokens,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": head,
        "attention.value_length": head,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.dimension_count": head,
        "rope.freq_base": float(rope["rope_theta"]),
        "vocab_size": config.vocab_size,
    }
    return Described(config.model_type, config.num_hidden_layers, numbers)


def _gpt2(config: Any, context_tokens: int) -> Described:  # noqa: ANN401 - transformers' own
    if config.activation_function not in TANH_GELU:
        message = f"llama.cpp computes GPT-2 with GELU's tanh form, not with {config.activation_function}"
        raise BadCheckpoint(message, INSTEAD)
    if config.scale_attn_by_inverse_layer_idx or not config.scale_attn_weights:
        raise BadCheckpoint("llama.cpp's GPT-2 scales attention by the size of a head only", INSTEAD)
    numbers = {
        "context_length": min(context_tokens, config.n_positions),
        "embedding_length": config.n_embd,
        "block_count": config.n_layer,
        "feed_forward_length": config.n_inner or 4 * config.n_embd,
        "attention.head_count": config.n_head,
        "attention.layer_norm_epsilon": float(config.layer_norm_epsilon),
    }
    return Described("gpt2", config.n_layer, numbers)


def _architecture(described: Described) -> Any:  # noqa: ANN401 - an enumeration of gguf's
    return next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == described.architecture)
