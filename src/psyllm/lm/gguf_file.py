"""A checkpoint as one GGUF file for llama.cpp and the programs that are built on it.

In: a checkpoint folder. Out: `model.gguf` with weights, tokenizer, the form of
a dialogue and the terms. Vectors and position tables stay fp32; a matrix whose
rows llama.cpp's blocks of 32 do not divide is fp16 under `q8_0`. A GGUF file is
a model alone: no triage, no guard and no help card come with it, and a person
who types a mark of the template has written that mark. Nothing here loads one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
from transformers import PreTrainedModel

from psyllm.core.errors import BadCheckpoint
from psyllm.lm.chat import read_template
from psyllm.lm.checkpoint import load_weights
from psyllm.lm.dialogue_form import dialogue_form
from psyllm.lm.gguf_tensors import Array, check_type, describe, named_weights
from psyllm.lm.gguf_tokens import Pieces, read_pieces
from psyllm.lm.model_card import ModelCard, read_config
from psyllm.lm.template import END
from psyllm.lm.tokenizer import Tokenizer, read_tokenizer

GGUF_FILE = "model.gguf"
ALIKE_BLOCK = 32  # weights that share a scale in q8_0


class _Marks(NamedTuple):
    """The ids that begin, end and fill."""

    begin: int
    end: int | None
    pad: int | None


class Form(NamedTuple):
    """How matrices are kept, and what GGUF calls such a file."""

    matrices: gguf.GGMLQuantizationType
    file: gguf.LlamaFileType


FORMS = {
    "fp32": Form(gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "fp16": Form(gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": Form(gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
    "q8_0": Form(gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


def write_gguf(source: Path, path: Path, dtype: str, card: ModelCard | None, name: str, licence: str) -> None:
    """Write a checkpoint folder as one file; `dtype` is one of `FORMS`.

    Raises:
        BadCheckpoint: llama.cpp has no such model or tokenizer, or fp16 can't hold a weight.
    """
    check_type(str(read_config(source).get("model_type")))
    model = load_weights(source)
    config: Any = model.config
    positions = getattr(config, "max_position_embeddings", None)
    context = card.context_tokens if card is not None else int(positions or 0)
    described = describe(model, context)
    pieces = read_pieces(source, config.vocab_size)
    spoken = _spoken(source, card)
    writer = gguf.GGUFWriter(path, described.architecture)
    writer.add_type("model")
    writer.add_name(name)
    writer.add_license(licence)
    writer.add_languages(["zh"])
    writer.add_file_type(FORMS[dtype].file)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    if card is not None:
        writer.add_string("psyllm.lineage", json.dumps(card.lineage, ensure_ascii=False, sort_keys=True))
    for key, number in described.numbers.items():
        if isinstance(number, float):
            writer.add_float32(f"{described.architecture}.{key}", number)
        else:
            writer.add_uint32(f"{described.architecture}.{key}", number)
    _add_tokens(writer, pieces, _marks(model, spoken))
    dialogue = dialogue_form(spoken.wording) if spoken is not None else read_template(source)
    if dialogue:
        writer.add_chat_template(dialogue)
    for tensor_name, array in named_weights(model, described):
        kind = _kind(tensor_name, array, FORMS[dtype].matrices)
        if kind is gguf.GGMLQuantizationType.F16:
            _check_fp16(tensor_name, array)
        writer.add_tensor(tensor_name, gguf.quantize(array, kind), raw_dtype=kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _spoken(source: Path, card: ModelCard | None) -> Tokenizer | None:
    """Return the tokenizer of a model that is spoken to in a known wording; None where its own template is all there is."""
    try:
        tokenizer = read_tokenizer(source)
        tokenizer.need_marks()
    except BadCheckpoint:
        if card is not None:
            raise
        return None  # from elsewhere, and neither trained nor served here
    return tokenizer


def _marks(model: PreTrainedModel, spoken: Tokenizer | None) -> _Marks:
    config: Any = model.config
    end = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    if spoken is not None:
        end = spoken.mark(END)  # a published config may name the end of a text, not of an answer
    # without one llama.cpp takes a number of its own, which is some piece of ours
    begin = end if config.bos_token_id is None else config.bos_token_id
    return _Marks(begin, end, config.pad_token_id)


def _add_tokens(writer: gguf.GGUFWriter, pieces: Pieces, marks: _Marks) -> None:
    writer.add_tokenizer_model(pieces.make)
    writer.add_tokenizer_pre(pieces.cut or "default")
    writer.add_token_list(pieces.texts)
    writer.add_token_types([int(kind) for kind in pieces.kinds])
    if pieces.scores:
        writer.add_token_scores(pieces.scores)
    if pieces.merges:
        writer.add_token_merges(pieces.merges)
    if marks.end is not None:
        writer.add_eos_token_id(marks.end)
        writer.add_bos_token_id(marks.begin)
    if marks.pad is not None:
        writer.add_pad_token_id(marks.pad)
        writer.add_unk_token_id(marks.pad)
    writer.add_add_bos_token(value=False)
    writer.add_add_eos_token(value=False)
    writer.add_add_space_prefix(value=False)


def _kind(name: str, array: Array, matrices: gguf.GGMLQuantizationType) -> gguf.GGMLQuantizationType:
    if array.ndim == 1 or name.startswith("position_embd"):
        return gguf.GGMLQuantizationType.F32
    if matrices is gguf.GGMLQuantizationType.Q8_0 and array.shape[-1] % ALIKE_BLOCK:
        return gguf.GGMLQuantizationType.F16
    return matrices


def _check_fp16(name: str, array: Array) -> None:
    if np.abs(array).max() > np.finfo(np.float16).max:
        message = f"fp16 can't hold the largest number of the weight {name}"
        raise BadCheckpoint(message, "take --dtype bf16 or fp32")
