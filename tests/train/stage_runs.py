"""One small stage to train, shared by the tests of the loop's parts."""

import numpy as np

from psyllm.core.train_settings import ModelShape, TrainingStage
from psyllm.lm.checkpoint import build
from psyllm.lm.pack import pack_wrapped
from psyllm.lm.tokenizer import train_tokenizer
from psyllm.train.loop import train_stage
from psyllm.train.watch import Plan

TOKENIZER = train_tokenizer(["一二三四五六七八九十" * 2, "一二三四五六七八九十"], 300)
SHAPE = ModelShape(layers=1, width=16, heads=2, vocabulary=300, context_tokens=16)
STAGE = TrainingStage(
    steps=12, batch_rows=4, learning_rate=1e-2, warmup_steps=2, evaluate_every_steps=3, patience=9
)
FIGURES = ("step", "loss", "dev_loss", "grad_norm", "learning_rate")


def some_rows(count, seed):
    chance = np.random.default_rng(seed)
    return pack_wrapped([chance.integers(260, TOKENIZER.size, count * 16).tolist()], 16, 0)


TRAIN, DEV = some_rows(20, 1), some_rows(4, 2)
NO_DEV = TRAIN.take([])


def ignore(logged):
    """Hear nothing."""


def small_model():
    return build(SHAPE, TOKENIZER, seed=3)


def train(
    folder, stage=STAGE, dev=DEV, rows=TRAIN, keep=2, heard=ignore, precision="fp32", model=None, **more
):
    """Train a stage; return how it went and the weights."""
    model = model or small_model()
    plan = Plan("adapt", stage, folder, 5, keep, precision, **more)
    trained = train_stage(model, rows, dev, plan, heard)
    return trained, {name: weight.clone() for name, weight in model.state_dict().items()}


def figures(trained):
    return [{name: entry[name] for name in FIGURES if name in entry} for entry in trained.logged]
