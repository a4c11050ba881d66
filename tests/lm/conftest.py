"""Small models and tokenizers that the tests of the model's room share."""

import random
from pathlib import Path

import pytest

from lm.small import KINDS, SHAPE
from made_up import text
from memorised import memorised_model


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small models on two threads wait for each other when the machine is busy."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer():
    """A tokenizer of made-up Chinese."""
    from psyllm.lm.tokenizer import train_tokenizer

    chance = random.Random(5)
    return train_tokenizer([text(chance) for _ in range(60)], SHAPE.vocabulary)


@pytest.fixture(scope="session")
def tiny_folder(tokenizer, tmp_path_factory) -> Path:
    """A checkpoint of random weights."""
    from psyllm.lm.checkpoint import build, save

    folder = tmp_path_factory.mktemp("tiny") / "model"
    save(folder, build(SHAPE, tokenizer, seed=1), tokenizer, context_tokens=SHAPE.context_tokens)
    return folder


@pytest.fixture
def tiny(tiny_folder):
    """The same, loaded."""
    from psyllm.lm.checkpoint import load

    return load(tiny_folder)


@pytest.fixture(scope="session")
def memorised(tmp_path_factory) -> Path:
    """A checkpoint that knows three answers by heart."""
    return memorised_model(tmp_path_factory.mktemp("memorised") / "by-heart" / "model")


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> Path:
    """A folder of published models, and one trained on with our marks."""
    from lm.published import PLAIN_TEMPLATE, qwen_folder, wenzhong_folder
    from psyllm.lm.checkpoint import load_base, save

    root = tmp_path_factory.mktemp("published")
    wenzhong_folder(root / "wenzhong")
    qwen_folder(root / "thinking")
    qwen_folder(root / "plain", PLAIN_TEMPLATE)
    model, tokenizer = load_base(root / "plain", "turns")
    save(root / "turns", model, tokenizer, context_tokens=256)
    return root


@pytest.fixture(scope="session")
def tokenizers(folders):
    """Their tokenizers by name."""
    from psyllm.lm.tokenizer import read_tokenizer

    return {kind: read_tokenizer(folders / kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    """One of their names."""
    return request.param
