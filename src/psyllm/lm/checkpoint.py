"""Checkpoint folders: build a small model, load one, save one.

A folder holds config.json, model.safetensors, tokenizer.json and psyllm.json
(see `model_card`). `build` makes a Llama-shaped decoder from nothing; `load`
takes any causal model that transformers or `pangu` knows, from this machine
only, and never runs code that a folder brings. A published model needs no
psyllm.json where its family is known (see `family`). In: folders and shapes.
Out: models in fp32 with their tokenizer. Nothing here trains or draws words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from psyllm.core.errors import BadCheckpoint, BadSetting, MemoryFull
from psyllm.core.train_settings import ModelShape
from psyllm.lm.family import PANGU_TYPES, Wish
from psyllm.lm.folder import card_for, check_tokenizer, open_folder
from psyllm.lm.full_disk import full_disk_told
from psyllm.lm.int8 import INT8_FILE, read_int8
from psyllm.lm.model_card import GENERATION_FILE, RETRAIN, ModelCard, read_config, write_card
from psyllm.lm.template import END, PAD
from psyllm.lm.tokenizer import Tokenizer, read_tokenizer

WEIGHTS_FILE = "model.safetensors"
WEIGHTS_PATTERNS = (WEIGHTS_FILE, "*.safetensors", "*.bin")
FEED_FORWARD_RATIO = 8 / 3  # of SwiGLU, so that a block has as many weights as a plain one of 4
FEED_FORWARD_MULTIPLE = 32


@dataclass(frozen=True)
class Checkpoint:
    """A model that can be asked: `context_tokens` is its longest row."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    card: ModelCard

    @property
    def context_tokens(self) -> int:
        """The longest row the model was trained on."""
        return self.card.context_tokens


def build(shape: ModelShape, tokenizer: Tokenizer, seed: int) -> PreTrainedModel:
    """Return an untrained Llama-shaped model; the same for the same seed.

    Rotary positions, RMSNorm, SwiGLU, tied embeddings, no bias, no dropout.

    Raises:
        BadSetting: the width can't be shared out among the heads.
    """
    if shape.width % (2 * shape.heads):
        message = f"a width of {shape.width} can't be shared by {shape.heads} heads of an even size"
        raise BadSetting(message, "set train.model.width to a multiple of twice train.model.heads")
    feed_forward = round(shape.width * FEED_FORWARD_RATIO / FEED_FORWARD_MULTIPLE) * FEED_FORWARD_MULTIPLE
    config = LlamaConfig(
        vocab_size=tokenizer.size,
        hidden_size=shape.width,
        intermediate_size=max(feed_forward, FEED_FORWARD_MULTIPLE),
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context_tokens,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.mark(END),
        pad_token_id=tokenizer.mark(PAD),
        use_cache=False,
    )
    torch.manual_seed(seed)
    model: PreTrainedModel = LlamaForCausalLM(config)
    return model


def load(folder: Path) -> Checkpoint:
    """Return the model of a folder that can answer: made by `psyllm train`, or of a known family.

    Raises:
        BadCheckpoint: something is missing, torn or of another template.
        TokenizerMismatch: the tokenizer is another model's.
    """
    card, tokenizer = open_folder(folder)
    return Checkpoint(load_weights(folder).train(mode=False), tokenizer, card)


def load_base(folder: Path, template: Wish = "auto", **how: object) -> tuple[PreTrainedModel, Tokenizer]:
    """Return model and tokenizer of any local checkpoint, with rows for our marks where they are its template.

    `how` is as for `load_weights`.

    Raises:
        BadCheckpoint: something is missing or torn, or the template does not go with it.
        TokenizerMismatch: the tokenizer is another model's.
    """
    config = read_config(folder)
    tokenizer = read_tokenizer(folder, template)
    rows = int(config.get("vocab_size", 0))
    check_tokenizer(folder, tokenizer.size, rows)
    model = load_weights(folder, **how)
    # a row without a text is noise too: it starts as one that was never there
    known = min(rows, tokenizer.size)
    if tokenizer.add_marks():
        if tokenizer.size > rows:
            model.resize_token_embeddings(tokenizer.size, mean_resizing=False)
        # the mean of the known rows is a calmer start than noise
        _start_new_rows_at_mean(model, known)
    model.config.eos_token_id = tokenizer.mark(END)
    model.config.pad_token_id = tokenizer.mark(PAD)
    return model, tokenizer


def load_weights(folder: Path, **how: object) -> PreTrainedModel:
    """Return the model of a folder in fp32, with every weight found.

    `how` goes to transformers: another type, a device, a base held in 4 bits.

    Raises:
        BadCheckpoint: the weights are missing, torn, incomplete or of another shape.
        MemoryFull: the memory does not hold them.
    """
    _know_type(folder)
    try:
        with quiet_transformers():
            told = {
                "local_files_only": True,
                "trust_remote_code": False,
                "dtype": torch.float32,
                "output_loading_info": True,
                **how,
            }
            loaded: Any = (
                _from_int8(folder, told)
                if (folder / INT8_FILE).is_file()
                else AutoModelForCausalLM.from_pretrained(folder, **told)
            )
    except BadCheckpoint:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        message = f"the memory does not hold the weights of {folder}"
        raise MemoryFull(
            message, "end what else holds memory, or take a smaller model: psyllm models"
        ) from error
    except Exception as error:  # the library raises OSError, ValueError, RuntimeError, SafetensorError …
        message = f"{folder / _weights_name(folder)} can't be loaded: {type(error).__name__}"
        raise BadCheckpoint(message, RETRAIN) from error
    model: PreTrainedModel = loaded[0]
    missing = sorted(loaded[1]["missing_keys"])
    if missing:
        message = f"{folder / _weights_name(folder)} lacks {len(missing)} weights, the first is {missing[0]}"
        raise BadCheckpoint(message, RETRAIN)
    return model


def _from_int8(folder: Path, told: dict[str, object]) -> tuple[PreTrainedModel, dict[str, Any]]:
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    empty: Callable[[Any], Any] = AutoModelForCausalLM.from_config
    with torch.device("meta"):  # only to learn of which class it is
        shape: Any = type(empty(config))
    loaded: tuple[PreTrainedModel, dict[str, Any]] = shape.from_pretrained(
        None, config=config, state_dict=read_int8(folder), **told
    )
    if (folder / GENERATION_FILE).is_file():
        loaded[0].generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    return loaded


def _know_type(folder: Path) -> None:
    """Refuse a type of model that would need code of its own."""
    config = read_config(folder)
    kind = config.get("model_type")
    if kind in PANGU_TYPES:
        import_module("psyllm.lm.pangu")  # makes the Auto classes know it
    elif kind not in CONFIG_MAPPING:
        message = (
            f"{folder} is of the type {kind}, which transformers {transformers.__version__} doesn't know"
        )
        raise BadCheckpoint(
            message, "take a model of a known type: psyllm models; code from a folder is never run"
        )


def _weights_name(folder: Path) -> str:
    """Return the name of the folder's weights, the usual one where there are none."""
    found = (path.name for pattern in WEIGHTS_PATTERNS for path in sorted(folder.glob(pattern)))
    return next(found, WEIGHTS_FILE)


def save(
    folder: Path,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    *,
    context_tokens: int,
    lineage: dict[str, Any] | None = None,
) -> None:
    """Write a checkpoint folder; the same bytes for the same model.

    Raises:
        OSError: among others, ENOSPC when the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ends = {"eos_token_id": tokenizer.mark(END), "pad_token_id": tokenizer.mark(PAD)}
    for name, number in ends.items():
        setattr(model.config, name, number)
        if model.generation_config is not None:
            setattr(model.generation_config, name, number)
    with quiet_transformers(), full_disk_told():
        model.save_pretrained(folder)
        tokenizer.save(folder)
    card = card_for(folder, tokenizer, context_tokens)
    write_card(folder, card.model_copy(update={"lineage": lineage or {}}))


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep the library's bars and remarks off the terminal inside the block."""
    level = transformers_logging.get_verbosity()
    hide_bars: Callable[[], None] = transformers_logging.disable_progress_bar
    show_bars: Callable[[], None] = transformers_logging.enable_progress_bar
    transformers_logging.set_verbosity(logging.ERROR)
    hide_bars()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        show_bars()


def _start_new_rows_at_mean(model: PreTrainedModel, known_rows: int) -> None:
    head: Callable[[], Any] = model.get_output_embeddings
    layers: list[Any] = [model.get_input_embeddings(), head()]
    with torch.no_grad():
        for layer in layers:
            if layer is not None:
                layer.weight[known_rows:] = layer.weight[:known_rows].mean(dim=0)
