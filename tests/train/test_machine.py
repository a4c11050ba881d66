"""How training uses the machine changes no result."""

import sys

import torch

from lm.small import SHAPE, TEXTS
from psyllm.lm.checkpoint import build
from psyllm.lm.tokenizer import train_tokenizer
from psyllm.train.machine import LONGEST_PLAIN_ROW_TOKENS, choose_attention, keep_freed_memory, on_threads


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    with on_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_keeping_memory_is_harmless_anywhere(monkeypatch):
    keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_freed_memory()


def test_short_rows_take_plain_attention_and_long_ones_the_fused_one(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    model = build(SHAPE, train_tokenizer(TEXTS, 512), seed=1)
    choose_attention(model, LONGEST_PLAIN_ROW_TOKENS + 1)
    assert model.config._attn_implementation == "sdpa"
    choose_attention(model, LONGEST_PLAIN_ROW_TOKENS)
    assert model.config._attn_implementation == "eager"
