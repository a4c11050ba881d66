"""The commands that go on with a training: each first says what it will do, or which one is meant."""

import pytest

from psyllm.cli.main import run
from train.conftest import make_corpus, question

FEW = [
    word
    for setting in (
        "adapt.steps=0",
        "answer.steps=2",
        "answer.evaluate_every_steps=1",
        "answer.patience=0",
        "threads=1",
    )
    for word in ("--set", f"train.{setting}")
]


@pytest.fixture
def data(tmp_path):
    """A small corpus."""
    make_corpus(tmp_path / "data", [question(n) for n in range(8)], [question(n) for n in range(100, 102)])
    return tmp_path / "data"


def test_more_and_continue_say_first_what_they_do_and_resume_names_them(data, capsys):
    where = ["--data", str(data)]
    assert run(["train", "resume", *where]) == 2
    assert "next: run: psyllm train" in capsys.readouterr().err
    assert run(["train", *where, "--preset", "tiny", *FEW]) == 0
    capsys.readouterr()
    assert run(["train", "more", *where, "--steps", "1", "--processes", "2"]) == 2
    assert "begun by one process" in capsys.readouterr().err
    assert run(["train", "more", *where, "--steps", "1"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("more: answer of model-")
    assert "goes on from step 2 to 3" in first
    assert "the rate ended at" in first
    assert any("answer_steps 3" in line for line in rest)
    assert run(["train", "continue", *where, "--preset", "tiny", *FEW, "--set", "train.seed=5"]) == 0
    assert capsys.readouterr().out.startswith("continue: a new run model-")
    assert run(["train", "resume", *where]) == 2
    said = capsys.readouterr().err
    assert "is finished: there is nothing to resume" in said
    assert "psyllm train more" in said
    assert "psyllm train continue" in said
