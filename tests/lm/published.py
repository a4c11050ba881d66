"""Folders in the layouts that Wenzhong and Qwen3 are published in: random weights, a small real tokenizer."""

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Pieces
from transformers import GPT2Config, GPT2LMHeadModel, Qwen3Config, Qwen3ForCausalLM

from lm.small import TEXTS
from psyllm.core.settings import Decoding
from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.decode import Decoder
from psyllm.lm.template import NOT_LEARNT, Message

ENDOFTEXT = "<|endoftext|>"
EMPTY_ROWS = 47  # of Wenzhong: 50304 rows for 50257 pieces
POSITIONS = 128
GREEDY = Decoding(max_new_tokens=24, temperature=0, repetition_penalty=1)
TYPED = (
    "<|im_end|>",
    "<|im_start|>user\n",
    "</think>",
    "<think>",
    ENDOFTEXT,
    "<|end|>",
    "<tool_call>",
    "<sep>",
    "<eot>",
)

# A template with what makes Qwen3's difficult: an empty thought before the answer that
# is asked for and before a last one, none before those that lie in the past.
THINKING_TEMPLATE = """
{%- set last = messages | length - 1 -%}
{%- for message in messages -%}
  {%- if message.role == 'assistant' and loop.index0 == last -%}
    {{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' + message.content + '<|im_end|>\\n' -}}
  {%- else -%}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\\n' -}}
  {%- if enable_thinking is defined and enable_thinking is false -%}
    {{- '<think>\\n\\n</think>\\n\\n' -}}
  {%- endif -%}
{%- endif -%}
"""
PLAIN_TEMPLATE = """
{%- if messages[0].role != 'system' -%}{{- '<|im_start|>system\\nHelp.<|im_end|>\\n' -}}{%- endif -%}
{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""


def byte_level(cutter, texts=TEXTS, size: int = 330) -> Pieces:
    pieces = Pieces(models.BPE())
    pieces.pre_tokenizer = cutter
    pieces.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    pieces.train_from_iterator(texts, trainer)
    return pieces


def wenzhong_folder(folder: Path, *, positions: int = POSITIONS, gelu: str = "gelu_fast") -> int:
    """Write a Wenzhong; return the number of its pieces."""
    folder.mkdir(parents=True)
    pieces = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    content = json.loads(pieces.to_str())["model"]
    vocabulary = {**content["vocab"], ENDOFTEXT: len(content["vocab"])}
    merges = "\n".join(" ".join(merge) for merge in content["merges"])
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", "utf-8")
    end = len(vocabulary) - 1
    torch.manual_seed(2)
    config = GPT2Config(
        vocab_size=len(vocabulary) + EMPTY_ROWS,
        n_positions=positions,
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_inner=128,
        activation_function=gelu,
        bos_token_id=end,
        eos_token_id=end,
    )
    model = GPT2LMHeadModel(config).half()
    weights = {name: weight for name, weight in model.state_dict().items() if name != "lm_head.weight"}
    for layer in range(2):
        weights[f"transformer.h.{layer}.attn.bias"] = torch.tril(
            torch.ones(1, 1, positions, positions)
        ).half()
        weights[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4).half()
    torch.save(weights, folder / "pytorch_model.bin")
    kept = {name: value for name, value in config.to_dict().items() if name not in {"dtype", "pad_token_id"}}
    (folder / "config.json").write_text(json.dumps(kept | {"architectures": ["GPT2LMHeadModel"]}))
    return len(vocabulary)


def qwen_folder(folder: Path, template: str | None = THINKING_TEMPLATE) -> int:
    """Write a Qwen3; return the number of its pieces."""
    folder.mkdir(parents=True)
    cut = pre_tokenizers.Split(Regex(r"\p{N}|[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+|\p{L}+"), behavior="isolated")
    pieces = byte_level(
        pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    )
    pieces.normalizer = normalizers.NFC()
    for token in (ENDOFTEXT, "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>"):
        pieces.add_tokens([AddedToken(token, special=token.startswith("<|"), normalized=False)])
    pieces.save(str(folder / "tokenizer.json"))
    size = pieces.get_vocab_size(with_added_tokens=True)
    settings = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": ENDOFTEXT}
    if template is not None:
        settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    end, endoftext = (pieces.token_to_id(token) for token in ("<|im_end|>", ENDOFTEXT))
    torch.manual_seed(3)
    config = Qwen3Config(
        vocab_size=size + 30,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=endoftext,
        eos_token_id=end,
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config.update(
        eos_token_id=[end, endoftext], pad_token_id=endoftext, do_sample=True, temperature=0.6
    )
    with quiet_transformers():
        model.to(torch.bfloat16).save_pretrained(folder)
    return size


def talk(*texts):
    return [Message("counsellor" if number % 2 else "visitor", one) for number, one in enumerate(texts)]


def spelt(tokenizer, ids):
    """Return ids as text, marks included."""
    return tokenizer._codec._pieces.decode(ids, skip_special_tokens=False)


def learnt(example):
    return [number for number in example.labels if number != NOT_LEARNT]


def answers_to(checkpoint, messages, decoding=GREEDY, seed=1):
    decoder = Decoder(checkpoint)
    decoder.add("it", messages, decoding, seed)
    words, reason = "", None
    while decoder.busy:
        for _, new, ended in decoder.step():
            words, reason = words + new, ended or reason
    return words, reason
