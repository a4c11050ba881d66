"""A model of random weights, and a data folder that holds it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evaluate.world import make_corpus, make_model, question
from psyllm.core.settings import Decoding, EvaluateSettings
from psyllm.core.train_settings import ModelShape

CONTEXT_TOKENS = 96
SHAPE = ModelShape(layers=1, width=16, heads=2, vocabulary=512, context_tokens=CONTEXT_TOKENS)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of random weights with a tokenizer of its own."""
    from psyllm.lm.checkpoint import build, save
    from psyllm.lm.tokenizer import train_tokenizer

    texts = [text for number in range(20) for text in question(number, split="train").texts()]
    tokenizer = train_tokenizer(texts, SHAPE.vocabulary)
    folder = tmp_path_factory.mktemp("tiny") / "model"
    save(folder, build(SHAPE, tokenizer, seed=1), tokenizer, context_tokens=CONTEXT_TOKENS)
    return folder


@pytest.fixture(scope="session")
def small_settings() -> EvaluateSettings:
    """Settings for seconds, not minutes."""
    return EvaluateSettings(
        most_scored=6,
        most_generated=4,
        shown=3,
        bootstrap_samples=100,
        threads=1,
        decoding=Decoding(max_new_tokens=12),
    )


@pytest.fixture(scope="session")
def make_data(tiny_model: Path) -> Callable[[Path], Path]:
    """A function that fills a folder with a corpus run and a model run made from it."""

    def make(data: Path) -> Path:
        corpus = make_corpus(data)
        make_model(data, tiny_model, corpus.as_parent())
        return data

    return make
