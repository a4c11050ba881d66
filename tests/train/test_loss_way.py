"""The setting of the loss reaches the loop and changes nothing but the memory."""

import numpy as np
import pytest

from psyllm.core.train_settings import ModelShape, TrainingStage
from psyllm.lm import chunk_size, loss
from psyllm.lm.checkpoint import build
from psyllm.lm.chunked_loss import chunked_sum
from psyllm.lm.pack import pack_wrapped
from psyllm.lm.tokenizer import train_tokenizer
from psyllm.train.loop import train_stage
from psyllm.train.watch import Plan

SHAPE = ModelShape(layers=1, width=16, heads=2, vocabulary=300, context_tokens=16)
STAGE = TrainingStage(steps=6, batch_rows=4, rows_at_once=2, learning_rate=1e-2, evaluate_every_steps=3)


def losses(folder, way):
    tokenizer = train_tokenizer(["一二三四五六七八九十" * 2, "一二三四五六七八九十"], 300)
    ids = np.random.default_rng(1).integers(260, tokenizer.size, 12 * 16).tolist()
    rows = pack_wrapped([ids], 16, 0)
    plan = Plan("adapt", STAGE, folder, 5, 2, "fp32", loss=way)
    trained = train_stage(
        build(SHAPE, tokenizer, seed=3), rows, rows.take(range(2)), plan, lambda _logged: None
    )
    return [entry[name] for entry in trained.logged for name in ("loss", "dev_loss") if name in entry]


def test_both_ways_learn_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(chunk_size.CHUNK_BYTES, "cpu", 3 * 4 * 300)
    monkeypatch.setattr(chunk_size, "FEWEST_ROWS", 1)
    seen = []
    monkeypatch.setattr(loss, "chunked_sum", lambda *named: seen.append(1) or chunked_sum(*named))
    plain = losses(tmp_path / "plain", "plain")
    assert not seen
    assert losses(tmp_path / "chunked", "chunked") == pytest.approx(plain, rel=1e-5)
    assert len(seen) == STAGE.steps * 2
