"""The shape of the small test models, and a tokenizer of another make."""

from pathlib import Path

from tokenizers import Tokenizer as Pieces
from tokenizers import decoders, models, pre_tokenizers, trainers

from psyllm.core.train_settings import ModelShape

SHAPE = ModelShape(layers=2, width=32, heads=2, vocabulary=512, context_tokens=128)
KINDS = ("wenzhong", "thinking", "plain", "turns")  # of models in the folder `folders`
TEXTS = ["心理咨询师说：今天是2026年，心理咨询abcdefgh。", "龘"] * 30


def byte_level() -> Pieces:
    """Return a tokenizer as other models bring it, without our marks."""
    pieces = Pieces(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    pieces.train_from_iterator(TEXTS, trainer)
    return pieces


def foreign_base(folder: Path) -> int:
    """Write a GPT-2 of random weights with such a tokenizer; return its rows."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from psyllm.lm.checkpoint import quiet_transformers
    from psyllm.lm.tokenizer import Tokenizer

    tokenizer = Tokenizer(byte_level())
    tokenizer.save(folder)
    torch.manual_seed(4)
    config = GPT2Config(
        vocab_size=tokenizer.size,
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=None,
        eos_token_id=None,
    )
    with quiet_transformers():
        GPT2LMHeadModel(config).save_pretrained(folder)
    return tokenizer.size
