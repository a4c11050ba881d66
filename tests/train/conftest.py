"""A small corpus and settings for seconds, shared by the tests of training."""

import random
import shutil
from pathlib import Path

import pytest

from made_up import text
from psyllm.core.records import Answer, Record, Turn, write_records
from psyllm.core.settings import load_settings
from psyllm.core.stages import Stage, StageRun, writing
from psyllm.core.train_settings import TrainSettings


def question(number: int, **more) -> Record:
    chance = random.Random(number)
    return Record(
        id=f"made:{number}",
        kind="question",
        group=f"made:{number}",
        source="made",
        licence="CC0-1.0",
        title=text(chance, 1),
        answers=(Answer(text=text(chance, 1)),),
        **more,
    )


def dialogue(number: int) -> Record:
    chance = random.Random(number)
    roles = ("visitor", "counsellor") * 3
    turns = tuple(Turn(role=role, text=text(chance, 1)) for role in roles)
    name = f"talk:{number}"
    return Record(id=name, kind="dialogue", group=name, source="talk", licence="CC0-1.0", turns=turns)


def document(number: int, source: str = "page") -> Record:
    chance = random.Random(number)
    name = f"{source}:{number}"
    return Record(
        id=name, kind="document", group=name, source=source, licence="CC0-1.0", text=text(chance, 4)
    )


def make_corpus(data: Path, train: list[Record], dev: list[Record]) -> None:
    run = StageRun(data, Stage.CORPUS, "split-1", "mark", (), {})
    with writing(run):
        write_records(train, run.folder, prefix="train")
        write_records(dev, run.folder, prefix="dev")
        run.finish(
            counts={"train": len(train), "dev": len(dev)},
            details={
                "permit": {"uses": "research", "share_alike": False, "expires": "2099-06-30", "sources": []}
            },
        )


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small models on two threads wait for each other when the machine is busy."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_data(folder: Path) -> Path:
    """Make a data folder with a corpus of questions, dialogues and documents."""
    train = [question(n) for n in range(12)] + [dialogue(n) for n in range(4)]
    train += [document(n) for n in range(4)]
    dev = [question(n) for n in range(100, 104)] + [document(100)]
    make_corpus(folder, train, dev)
    return folder


def tiny() -> TrainSettings:
    return load_settings(preset="tiny", overrides=["train.threads=1"]).train


@pytest.fixture
def settings() -> TrainSettings:
    """The preset `tiny` on one thread."""
    return tiny()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a corpus of questions, dialogues and documents."""
    return make_data(tmp_path / "data")


@pytest.fixture(scope="session")
def _finished(tmp_path_factory) -> Path:
    from psyllm.train.run import run

    folder = make_data(tmp_path_factory.mktemp("finished") / "data")
    run(tiny(), folder)
    return folder


@pytest.fixture
def trained(_finished: Path, tmp_path: Path) -> Path:
    """A data folder as `data`, in which `settings` have been trained already: `run` returns at once."""
    return shutil.copytree(_finished, tmp_path / "trained")
