"""What `bench/paper.py` compares: both vocabularies and untrained models, in the published layouts.

In: texts, sizes, a seed. Out: folders that load as a published PanGu and a
published Wenzhong do, but small and of random weights. GPT-2's vocabulary was
learnt from text that is mostly not Chinese; here from the interpreter's library
and as much Chinese as makes a character cost what it costs in GPT-2.
"""

from __future__ import annotations

import io
import json
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import sentencepiece
import torch
from tokenizers import Tokenizer as Pieces
from tokenizers import decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.pangu_config import GPTPanguConfig
from psyllm.lm.pangu_model import GPTPanguForCausalLM
from psyllm.lm.pangu_tokenizer import joined

GPT2_TOKENS_PER_CHAR = 2.16
EMPTY_ROWS = 47  # of Wenzhong
OTHER_TEXT_CHARS = 1_000_000
SHARES = (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06)
PANGU_PIECES = ("\u2583", "\u2582", "<sep>", "<pad>", "<mask>", "<eod>", "<eot>")
END = "<|endoftext|>"


class Sizes(NamedTuple):
    """What both shapes have in common."""

    layers: int
    width: int
    heads: int
    pieces: int
    row_tokens: int
    batch_rows: int
    rate: float


def pangu_vocabulary(texts: Sequence[str], pieces: int) -> bytes:
    """Return a vocab.model of PanGu's kind, learnt from these texts."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([joined(line) for text in texts for line in text.splitlines() if line]),
        model_writer=made,
        vocab_size=pieces,
        model_type="unigram",
        normalization_rule_name="nmt_nfkc",
        user_defined_symbols=list(PANGU_PIECES),
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    return made.getvalue()


def other_text() -> Iterator[str]:
    """Yield English from the interpreter's library, file by file, to a fixed amount."""
    left = OTHER_TEXT_CHARS
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        text = path.read_text("utf-8", errors="ignore")[:left]
        yield text
        left -= len(text)
        if left <= 0:
            return


def byte_level(texts: Sequence[str], share: float, pieces: int) -> Pieces:
    """Return GPT-2's kind of tokenizer, learnt from other text and `share` as much of these."""
    mixed = list(other_text())
    left = int(share * sum(map(len, mixed)))
    for text in texts:
        mixed.append(text[:left])
        left -= len(text)
        if left <= 0:
            break
    found = Pieces(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces - 1, initial_alphabet=sorted(alphabet), show_progress=False
    )
    found.train_from_iterator(mixed, trainer)
    return found


def like_gpt2(texts: Sequence[str], held: Sequence[str], pieces: int) -> tuple[Pieces, float, float]:
    """Return the tokenizer whose tokens a character come nearest to GPT-2's, its share of Chinese, and how many."""
    chars = sum(map(len, held))
    tried = []
    for share in SHARES:
        found = byte_level(texts, share, pieces)
        cost = sum(len(one.ids) for one in found.encode_batch(list(held))) / chars
        tried.append((abs(cost - GPT2_TOKENS_PER_CHAR), share, cost, found))
        if cost < GPT2_TOKENS_PER_CHAR:  # more of the text makes it cheaper still
            break
    _, share, cost, found = min(tried, key=lambda one: one[:2])
    return found, share, cost


def write_pangu(folder: Path, vocabulary: bytes, sizes: Sizes, seed: int) -> None:
    """Write an untrained PanGu in the published layout."""
    pieces = sentencepiece.SentencePieceProcessor(model_proto=vocabulary).get_piece_size()
    torch.manual_seed(seed)
    config = GPTPanguConfig(
        vocab_size=pieces,
        max_position_embeddings=sizes.row_tokens,
        hidden_size=sizes.width,
        num_layers=sizes.layers,
        num_heads=sizes.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    with quiet_transformers():
        GPTPanguForCausalLM(config).save_pretrained(folder)
    (folder / "vocab.model").write_bytes(vocabulary)


def write_wenzhong(folder: Path, pieces: Pieces, sizes: Sizes, seed: int) -> None:
    """Write an untrained Wenzhong in the published layout: two files of the tokenizer, rows without a text."""
    content = json.loads(pieces.to_str())["model"]
    vocabulary = {**content["vocab"], END: len(content["vocab"])}
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(vocabulary) + EMPTY_ROWS,
        n_positions=sizes.row_tokens,
        n_embd=sizes.width,
        n_layer=sizes.layers,
        n_head=sizes.heads,
        activation_function="gelu_fast",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=vocabulary[END],
        eos_token_id=vocabulary[END],
    )
    with quiet_transformers():
        GPT2LMHeadModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    merges = "\n".join(" ".join(merge) for merge in content["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", "utf-8")
