"""The scripts around the package's model: the demo starts from it only when told so, and its card is filled by a command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from psyllm.core import embedded
from psyllm.core.base_models import base_hash
from psyllm.core.settings import ServeSettings
from psyllm.evaluate.questions import Asked
from psyllm.evaluate.sample import Drawn
from psyllm.lm.template import Message

PROGRAM = """#!/usr/bin/env bash
echo "$@" >> {log}
[ "$1 $2" != "models embedded" ] || exit {status}
if [ "$1 $2" = "train export" ]; then mkdir -p {new}/fingerprints; echo 1 > {new}/model.int8.safetensors; echo 1 > {new}/MODEL_CARD.md; fi
"""


def house(tmp_path: Path, status: int) -> Path:
    """Return a repository whose `psyllm` only writes down how it was called."""
    (tmp_path / "runs").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("circle.sh", "embedded.sh"):
        shutil.copy(ROOT / "runs" / name, tmp_path / "runs" / name)
    for name in ("psyllm", "python"):
        program = tmp_path / ".venv" / "bin" / name
        text = PROGRAM.format(
            log=tmp_path / f"{name}.log", status=status, new=tmp_path / "d" / "embedded.new"
        )
        program.write_text(text)
        program.chmod(0o755)
    return tmp_path


def typed(folder: Path, script: str, *words: str) -> list[str]:
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run([str(folder / "runs" / script), *words], check=True, capture_output=True, env=environment)
    return (folder / "psyllm.log").read_text().splitlines()


@pytest.mark.parametrize(("status", "words"), [(0, "train --data d --preset demo"), (1, "train --data d")])
def test_the_demo_starts_from_the_packages_model_if_that_has_passed(tmp_path, status, words):
    lines = typed(house(tmp_path, status), "circle.sh", "--data", "d")
    assert [line for line in lines if line.startswith("train")] == [words]
    assert [line.split()[0] for line in lines if not line.startswith("models")] == [
        *("collect", "clean", "corpus", "train", "evaluate", "status"),
    ]


@pytest.mark.parametrize("more", [["--preset", "tiny"], ["--import", "x.jsonl", "x", "CC0-1.0"]])
def test_who_says_more_than_the_folder_decides_alone(tmp_path, more):
    lines = typed(house(tmp_path, 0), "circle.sh", "--data", "d", *more)
    assert not any("demo" in line or line.startswith("models") for line in lines)


def test_shipping_puts_the_files_in_their_place_and_keeps_the_card(tmp_path):
    here = house(tmp_path, 0) / "src" / "psyllm" / "lm" / "embedded"
    here.mkdir(parents=True)
    (here / "MODEL_CARD.md").write_text("our own words")
    (here / "model.safetensors").write_text("an older model")
    lines = typed(tmp_path, "embedded.sh", "--ship", "--data", "d")
    assert [" ".join(line.split()[:2]) for line in lines] == ["train export", "corpus fingerprints"]
    assert {path.name for path in here.iterdir()} == {
        "MODEL_CARD.md",
        "model.int8.safetensors",
        "fingerprints",
    }
    assert (here / "MODEL_CARD.md").read_text() == "our own words"
    benched = (tmp_path / "python.log").read_text()
    assert "bench/embedded.py --model d/embedded.new --data d --sheet d/sheet.json" in benched
    assert benched.endswith("bench/embedded.py --card\n")


@pytest.fixture
def marks_program(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import embedded_marks

    yield embedded_marks
    del sys.modules["embedded_marks"]
    sys.modules.pop("embedded", None)  # the bench of that name


@pytest.fixture
def measured(tmp_path, marks_program):
    """Return a model's folder with our card, and a sheet with key and figures beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(ROOT / "src" / "psyllm" / "lm" / "embedded" / "MODEL_CARD.md", folder)
    config = {
        "model_type": "gpt2",
        "n_layer": 1,
        "n_embd": 8,
        "n_head": 2,
        "n_positions": 8,
        "vocab_size": 10,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.int8.safetensors").write_bytes(b"w")
    sheet = tmp_path / "sheet.json"
    rows = [{"number": n, "question": "问", "answer": "答", "on_topic": n % 4 == 0} for n in range(100)]
    sheet.write_text(json.dumps(rows))
    marks_program.key_beside(sheet).write_text(json.dumps([n % 2 == 0 for n in range(100)]))
    figures = {
        "base_sha256": base_hash(folder),
        "measured": {
            "bits_percent_of_5gram": 77.0,
            "whole_answers_percent": 81.0,
            "bits_per_char": 3.0,
            "guard_passed_percent": 90.0,
            "distinct_2_ratio": 1.0,
            "dialogues": 600,
            "questions": 200,
            **ServeSettings().decoding.model_dump(),
        },
        "told": {
            "temperature": 0.85,
            "dialogues": 600,
            "characters": 123456,
            "bits_per_char": {"model": [3.0, 2.9, 3.1], "5-gram": [3.9, 3.8, 4.0]},
            "questions": 200,
            "answers_percent": {"the guard passes": [90.0, 85.0, 94.0]},
            "distinct_2_percent": {"model": 50.0, "people": 50.0},
        },
    }
    marks_program.figures_beside(sheet).write_text(json.dumps(figures))
    return folder, sheet


def test_marks_and_card_are_written_from_what_was_measured(measured, marks_program, monkeypatch):
    folder, sheet = measured
    monkeypatch.setattr(embedded, "FOLDER", folder)
    assert marks_program.block(folder) == marks_program.NOT_YET
    # half of its own fifty are on topic, and none of the others
    assert not marks_program.write_marks([sheet], folder, "one counsellor")
    marks = embedded.read_marks()
    assert marks.measured["on_topic_percent"] == marks.measured["on_topic_over_shuffled_points"] == 50
    assert marks.asked["dialogues"] == (300, None)
    assert embedded.missed_marks(marks.measured) == [
        f"{embedded.ASKED['on_topic_percent'].what}: 50, asked 70 to 100"
    ]
    before = (folder / "MODEL_CARD.md").read_text("utf-8")
    marks_program.write_card(folder)
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    assert "| 77 | 0 to 78 |" in card
    assert "| 600 | 300 or more |" in card
    assert "| 0.85 | 0.85 |" in card
    assert "model 3.000 [2.900, 3.100]" in card
    assert "Not reached" in card
    assert "by one counsellor: on topic 50 [37, 63] % of its own answers, 0 [0, 7] % of answers" in card
    marks_program.write_card(folder)
    assert (folder / "MODEL_CARD.md").read_text("utf-8") == card
    (folder / "marks.json").unlink()
    marks_program.write_card(folder)
    without = (folder / "MODEL_CARD.md").read_text("utf-8")
    assert marks_program.NOT_YET in without
    assert marks_program.NOT_YET not in card
    around = [
        text.partition(marks_program.BEGIN)[0] + text.partition(marks_program.END)[2]
        for text in (before, card, without)
    ]
    assert around[0] == around[1] == around[2]


@pytest.mark.parametrize("fault", ["other weights", "unread", "half measured"])
def test_marks_of_anything_but_whole_figures_of_these_weights_are_refused(
    measured, marks_program, fault, capsys
):
    folder, sheet = measured
    if fault == "other weights":
        (folder / "model.int8.safetensors").write_bytes(b"x")
    elif fault == "unread":
        rows = json.loads(sheet.read_text())
        sheet.write_text(json.dumps([*rows[:-1], {**rows[-1], "on_topic": None}]))
    else:
        path = marks_program.figures_beside(sheet)
        figures = json.loads(path.read_text())
        del figures["measured"]["distinct_2_ratio"]
        path.write_text(json.dumps(figures))
    with pytest.raises(SystemExit) as ended:
        marks_program.write_marks([sheet], folder, "us")
    said = f"{ended.value}{capsys.readouterr().out}"
    words = {"other weights": "other weights", "unread": "[99]", "half measured": "distinct_2_ratio"}
    assert words[fault] in said
    assert not (folder / "marks.json").exists()


def test_a_reader_who_finds_everything_on_topic_has_told_nothing(measured, marks_program, monkeypatch):
    folder, sheet = measured
    monkeypatch.setattr(embedded, "FOLDER", folder)
    rows = json.loads(sheet.read_text())
    for shuffled_on_topic, reaches in ((True, False), (False, True)):
        read = [{**row, "on_topic": n % 2 == 0 or shuffled_on_topic} for n, row in enumerate(rows)]
        sheet.write_text(json.dumps(read))
        assert marks_program.write_marks([sheet], folder, "us") is reaches
        marks = embedded.read_marks()
        assert marks.measured["on_topic_percent"] == 100
        missed = embedded.missed_marks(marks.measured)
        assert bool(missed) is not reaches
        assert all("over answers to other questions" in words for words in missed)


def test_of_two_readers_the_stricter_counts(measured, marks_program, monkeypatch, tmp_path, capsys):
    folder, sheet = measured
    monkeypatch.setattr(embedded, "FOLDER", folder)
    rows = json.loads(sheet.read_text())
    other = tmp_path / "other.json"
    sheet.write_text(json.dumps([{**row, "on_topic": n % 2 == 0} for n, row in enumerate(rows)]))
    other.write_text(json.dumps([{**row, "on_topic": n % 2 == 0 and n >= 20} for n, row in enumerate(rows)]))
    assert marks_program.write_marks([sheet, other], folder, "two")
    assert embedded.read_marks().measured["on_topic_percent"] == 80
    assert "all agree on 90 answers" in capsys.readouterr().out
    other.write_text(json.dumps([*rows[1:], rows[0]]))
    with pytest.raises(SystemExit, match="same order"):
        marks_program.write_marks([sheet, other], folder, "two")


def test_one_reader_is_not_counted_as_two(measured, marks_program, tmp_path):
    folder, sheet = measured
    link = tmp_path / "link.json"
    link.symlink_to(sheet)
    for again in (sheet, folder / ".." / sheet.name, link):
        with pytest.raises(SystemExit, match="named twice"):
            marks_program.write_marks([sheet, again], folder, "two")
    assert not (folder / "marks.json").exists()


def test_a_sheet_holds_no_question_and_no_answer_twice(marks_program, tmp_path):
    import embedded as bench

    asked = [Asked(str(n), (Message("visitor", f"问{n}"),), ("答",)) for n in range(120)]
    drawn = [Drawn(f"答{n}", "end", 1) for n in range(120)]
    bench.write_sheet(tmp_path / "sheet.json", asked, drawn)
    rows = json.loads((tmp_path / "sheet.json").read_text("utf-8"))
    key = json.loads(marks_program.key_beside(tmp_path / "sheet.json").read_text())
    assert len({row["question"] for row in rows}) == len({row["answer"] for row in rows}) == len(rows) == 100
    assert sum(key) == 50
    assert key == [row["question"].rpartition("问")[2] == row["answer"][1:] for row in rows]
    assert len(set(key[:10])) == 2  # mixed


def test_what_the_service_would_not_let_a_model_answer_is_not_asked(marks_program, tmp_path, monkeypatch):
    import embedded as bench

    asked = [Asked(words, (Message("visitor", words),), ("答",)) for words in ("我睡不着", "我想自杀")]
    monkeypatch.setattr(bench, "read_records", lambda *_, **__: [])
    monkeypatch.setattr(bench, "openings_of", lambda _: iter(asked))
    assert [one.id for one in bench.questions(tmp_path, "test", 10)] == ["我睡不着"]


@pytest.mark.parametrize(
    ("name", "figure"),
    [("dialogues", 1), ("questions", 1), ("temperature", 0.01), ("repetition_penalty", 1.0)],
)
def test_figures_of_little_or_of_other_settings_than_the_services_are_refused(
    measured, marks_program, name, figure, capsys
):
    folder, sheet = measured
    path = marks_program.figures_beside(sheet)
    figures = json.loads(path.read_text())
    figures["measured"][name] = figure
    path.write_text(json.dumps(figures))
    with pytest.raises(SystemExit):
        marks_program.write_marks([sheet], folder, "us")
    assert embedded.ASKED[name].what in capsys.readouterr().out
    assert not (folder / "marks.json").exists()


@pytest.mark.parametrize(
    ("kept", "words"), [(slice(2), "read blind: 1,"), (slice(0, None, 2), "read blind: 0,")]
)
def test_a_sheet_of_few_rows_or_without_a_control_is_refused(measured, marks_program, kept, words, capsys):
    folder, sheet = measured
    for path in (sheet, marks_program.key_beside(sheet)):
        path.write_text(json.dumps(json.loads(path.read_text())[kept]))
    with pytest.raises(SystemExit):
        marks_program.write_marks([sheet], folder, "us")
    assert words in capsys.readouterr().out
    assert not (folder / "marks.json").exists()


def test_what_the_bench_measures_is_all_that_is_asked(marks_program):
    import embedded as bench

    asked = [
        Asked("a", (Message("visitor", "睡不着怎么办"),), ("先起来走一走。再试一次。",)),
    ]
    drawn = [Drawn("听起来你很累。愿意说说吗？", "end", 1)]
    found = {*bench.answers_table(asked, drawn).measured, *bench.SERVED.model_dump(), "dialogues"}
    assert found | {*marks_program.OF_SHEET, "bits_percent_of_5gram", "bits_per_char"} == set(embedded.ASKED)


def test_the_package_holds_the_model_that_its_marks_and_its_card_tell_of(marks_program):
    folder = ROOT / "src" / "psyllm" / "lm" / "embedded"
    assert embedded.standing().passed
    assert marks_program.block(folder) in (folder / "MODEL_CARD.md").read_text("utf-8")
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 60 * 10**6


def test_the_card_says_what_it_must():
    card = (ROOT / "src" / "psyllm" / "lm" / "embedded" / "MODEL_CARD.md").read_text("utf-8")
    for words in ("无人监督", "危机", "12356", "Never unsupervised", "Not in a crisis", "CC0", "PsyQA"):
        assert words in card
    assert "A person must clear this chain before a\npublic release" in card
    assert card.index("摘要") < card.index("What it is")


def test_that_the_small_model_itself_writes_on_trial_is_said_wherever_it_is_asked_who_may():
    card = (ROOT / "src" / "psyllm" / "lm" / "embedded" / "MODEL_CARD.md").read_text("utf-8")
    assert "看到的就是这个小模型写的话" in card
    assert "this model itself writes to visitors" in card
    said = [card, embedded.__doc__, (ROOT / "docs" / "map.md").read_text("utf-8")]
    said += [(ROOT / "runs" / name).read_text("utf-8") for name in ("circle.sh", "embedded.sh")]
    assert all("serve/stand_in.py" in text for text in said)
