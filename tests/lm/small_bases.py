"""Small models of the shapes that people start from, with random weights and a tokenizer of another make."""

import importlib
from pathlib import Path

from lm.small import byte_level
from psyllm.lm.tokenizer import Tokenizer

LLAMA_CPP_SHAPES = ("gpt2", "llama", "qwen3")
SHAPES = (*LLAMA_CPP_SHAPES, "pangu")


def shaped(shape: str, vocabulary: int, *, tied: bool = True, dropout: float = 0.0):
    """Return a model of random weights, heads and keys of different number."""
    import torch
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    nobody = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None, "use_cache": False}
    decoder = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "tie_word_embeddings": tied,
        "attention_dropout": dropout,
        **nobody,
    }
    torch.manual_seed(4)
    dropped = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), dropout)
    if shape == "gpt2":
        sizes = {"vocab_size": vocabulary, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2}
        return GPT2LMHeadModel(GPT2Config(**sizes, **dropped, **nobody, tie_word_embeddings=tied))
    if shape == "pangu":
        importlib.import_module("psyllm.lm.pangu")  # makes the Auto classes know it
        sizes = {"vocab_size": vocabulary, "hidden_size": 32, "num_layers": 2, "num_heads": 2}
        config = AutoConfig.for_model(
            "gpt_pangu", **sizes, **dropped, **nobody, max_position_embeddings=64, tie_word_embeddings=tied
        )
        return AutoModelForCausalLM.from_config(config)
    if shape == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**decoder, head_dim=8))
    return LlamaForCausalLM(LlamaConfig(**decoder))


def write_base(folder: Path, shape: str, *, tied: bool = True, spare_rows: int = 0) -> int:
    """Write such a model as its makers would; return the number of its tokenizer's pieces."""
    from psyllm.lm.checkpoint import quiet_transformers

    tokenizer = Tokenizer(byte_level())
    tokenizer.save(folder)
    with quiet_transformers():
        shaped(shape, tokenizer.size + spare_rows, tied=tied).save_pretrained(folder)
    return tokenizer.size
