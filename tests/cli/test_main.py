"""The command line: two lines and status 2 for whatever is wrong."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata

import pytest
from openpyxl import load_workbook

from psyllm.cli.main import run
from psyllm.core.records import read_records
from psyllm.core.stages import Stage, StageRun, writing


@pytest.mark.parametrize(
    ("words", "code", "next_step"),
    [
        (["trian"], "No such command", "psyllm --help"),
        (["clean", "--sett", "a=1"], "No such option", "psyllm clean --help"),
        (["collect", "import"], "Missing argument", "psyllm collect import --help"),
        (["clean", "--set", "claen.mask_pii=true"], "PSY-106", "psyllm settings"),
        (["clean", "--preset", "none"], "PSY-106", "--preset NAME"),
        (["clean", "--config", "/nowhere.toml"], "PSY-101", "--config"),
        (["clean", "--config", "/"], "PSY-107", "ls -ld /"),
        (["status", "--data", "/dev/null"], "PSY-107", "ls -ld /dev/null"),
        (["collect", "import", "/nowhere.jsonl", "--name", "x", "--licence", "CC0-1.0"], "PSY-101", ""),
        (
            ["collect", "import", "/nowhere.jsonl", "--name", "BAD NAME", "--licence", "CC0-1.0"],
            "PSY-106",
            "--help",
        ),
        (["clean"], "PSY-200", "psyllm collect starter --data data"),
        (["corpus"], "PSY-200", "psyllm clean"),
        (["corpus", "--data", "my data"], "PSY-200", "psyllm clean --data 'my data'"),
        (["train"], "PSY-200", "psyllm corpus"),
        (["evaluate"], "PSY-200", "psyllm train"),
        (["serve", "staff", "add", "li", "--password-file", "/nowhere"], "PSY-101", "--password-file"),
    ],
)
def test_wrong_input_gives_two_lines_and_status_2(words, code, next_step, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, lines
    assert lines[0].startswith("error")
    assert code in lines[0]
    assert lines[1].startswith("next: ")
    assert next_step in lines[1]


@pytest.mark.parametrize(
    ("words", "may_train", "may_show"),
    [
        ([], True, False),
        (["--no-train", "--show"], False, True),
        (["--set", "collect.may_train=false", "--set", "collect.may_show=true"], False, True),
        (["--set", "collect.may_train=false", "--train"], True, False),
    ],
)
def test_permissions_may_be_said_by_option_or_by_setting(words, may_train, may_show, tmp_path):
    source = tmp_path / "one.md"
    source.write_text("# 睡不着的时候\n\n先把灯关上，慢慢地呼吸。", encoding="utf-8")
    words = ["collect", "import", str(source), "--name", "one", "--licence", "CC0-1.0", *words]
    assert run([*words, "--data", str(tmp_path)]) == 0
    (record,) = read_records(tmp_path / "1_collected" / "one")
    assert (record.may_train, record.may_show) == (may_train, may_show)


def test_help_loads_no_heavy_library():
    program = (
        "import sys; from psyllm.cli.main import run; run(['--help']); "
        "print([name for name in ('torch', 'pyarrow', 'pydantic', 'numpy', 'fastapi', 'sqlalchemy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    assert "evaluate" in result.stdout


def test_help_lists_the_rooms_in_the_order_of_the_flow_and_then_the_rest(capsys):
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    names = [line.split()[0] for line in shown if line.startswith("  ") and line[2] != " "]
    flow = ["collect", "clean", "corpus", "train", "evaluate", "serve", "feedback"]
    assert names == [*flow, "forget", "status", "doctor", "settings", "models"]


@pytest.mark.parametrize(
    "words",
    [
        ["clean", "--data", "elsewhere", "review"],
        ["corpus", "--preset", "tiny", "review-sheet"],
        ["train", "--processes", "2", "resume"],
        ["train", "--data", "data", "more"],
        ["evaluate", "--set", "evaluate.threads=1", "compare", "a", "b"],
        ["models", "--data", "elsewhere", "fetch", "qwen3-0.6b"],
        ["serve", "--data", "elsewhere", "staff", "list"],
    ],
)
def test_options_before_a_commands_own_command_are_not_lost_without_a_word(
    words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"write the options behind the command: psyllm {words[0]} {words[3]} --" in said.replace("│ ", "")
    assert not list(tmp_path.iterdir())


def test_version_prints_name_and_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"psyllm {metadata.version('psyllm')}\n"


def test_feedback_from_a_folder_that_is_not_there_makes_none(tmp_path, capsys):
    missing = tmp_path / "my tpyo"
    assert run(["feedback", "--data", str(missing)]) == 2
    error, next_step = capsys.readouterr().err.splitlines()
    assert f"{missing} does not exist" in error
    assert f"--data '{missing}'" in next_step
    assert not missing.exists()


def test_status_names_the_six_folders_and_what_to_type(tmp_path, capsys):
    assert run(["status", "--data", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for stage in Stage:
        assert stage.value in text
    assert "psyllm collect import" in text


def test_status_tells_what_is_stale(tmp_path, capsys):
    with writing(StageRun(tmp_path, Stage.COLLECTED, "web", "m", (), {})) as collected:
        first = collected.finish(counts={"records": 3})
    with writing(StageRun(tmp_path, Stage.CLEANED, "c-1", "m", (first.as_parent(),), {})) as cleaned:
        second = cleaned.finish(counts={"records": 2})
    with writing(StageRun(tmp_path, Stage.CORPUS, "s-1", "m", (second.as_parent(),), {})) as corpus:
        corpus.finish(counts={"train": 2})
    states = lambda: {row["stage"]: row["state"] for row in json.loads(capsys.readouterr().out)}  # noqa: E731
    run(["status", "--json", "--data", str(tmp_path)])
    assert states() == {
        "1_collected": "complete",
        "2_cleaned": "complete",
        "3_corpus": "complete",
        "4_models": "missing",
        "5_reports": "missing",
        "6_feedback": "missing",
    }
    with writing(StageRun(tmp_path, Stage.COLLECTED, "more", "m", (), {})) as more:
        more.finish(counts={"records": 1})
    run(["status", "--json", "--data", str(tmp_path)])
    found = states()
    assert (found["2_cleaned"], found["3_corpus"]) == ("stale", "stale")


def test_the_review_of_the_bundled_texts_goes_out_and_comes_back(tmp_path, capsys):
    sheet, data = tmp_path / "review.xlsx", ["--data", str(tmp_path)]
    assert run(["corpus", "review-sheet", "--out", str(sheet), *data]) == 0
    assert "hours of reading" in capsys.readouterr().out
    assert run(["corpus", "review-sheet", "--out", str(sheet), *data]) == 2
    assert "somebody's decisions may be in it" in capsys.readouterr().err
    assert run(["corpus", "review-take", str(sheet), *data]) == 2
    assert "the name in B3 is missing" in capsys.readouterr().err
    sign_and_accept(sheet, accepted=2)
    assert run(["corpus", "review-take", str(sheet), *data]) == 0
    assert "2 accepted, 0 changed, 0 rejected" in capsys.readouterr().out
    assert run(["collect", "starter", *data]) == 0
    reviewed = [one for one in read_records(tmp_path / "1_collected" / "starter") if one.reviewed_by]
    assert [one.reviewed_by for one in reviewed] == ["王医生"] * 2
    second = tmp_path / "rest.xlsx"
    capsys.readouterr()
    assert run(["corpus", "review-sheet", "--out", str(second), *data]) == 0
    total = len(load_workbook(sheet)["审阅"]["A"]) - 1
    assert f"{total - 2} of {total} texts" in capsys.readouterr().out


def sign_and_accept(sheet, accepted):
    book = load_workbook(sheet)
    for cell, value in (("B3", "王医生"), ("B4", "测试-1"), ("B5", f"{datetime.now(UTC):%Y-%m-%d}")):
        book["说明"][cell] = value
    headings = [cell.value for cell in book["审阅"][1]]
    for row in range(2, 2 + accepted):
        book["审阅"].cell(row, headings.index("决定") + 1).value = "通过"
    book.save(sheet)


def test_doctor_looks_at_the_machine(tmp_path, capsys):
    assert run(["doctor", "--data", str(tmp_path), "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"cores", "memory", "disk", "gpu", "casebook", "web app"} <= set(found)
    assert all(row["good"] or row["mend"] for row in found.values())


def test_doctor_finds_a_casebook_that_others_can_read(tmp_path, capsys):
    path = tmp_path / "casebook" / "casebook.sqlite3"
    path.parent.mkdir()
    path.touch(mode=0o644)
    run(["doctor", "--data", str(tmp_path), "--json"])
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert not found["casebook"]["good"]
    assert found["casebook"]["mend"] == f"chmod 600 {path}"


def test_a_stop_by_ctrl_c_says_what_is_kept_and_how_to_go_on(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("psyllm.cli.stale.folders", interrupted)
    assert run(["status"]) == 130
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "stopped; what was complete is kept",
        "next: run the same command to go on",
    ]


def test_formats_lists_the_known_forms(capsys):
    assert run(["collect", "formats"]) == 0
    shown = capsys.readouterr().out
    for form in (
        "PsyQA",
        "SmileChat",
        "messages",
        "ShareGPT",
        "EmoLLM",
        "alpaca",
        "ChatML",
        "Markdown",
        "table",
    ):
        assert f"{form}: " in shown


def test_columns_are_named_on_the_command_line(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("甲列,乙列\n问,答\n问二,答二\n", "utf-8")
    words = ["collect", "import", str(path), "--name", "x", "--licence", "MIT", "--data", str(tmp_path)]
    assert run(words) == 2
    assert "Its columns: 2, none with a usual name" in capsys.readouterr().err
    named = ["--set", "collect.columns.question=甲列", "--set", "collect.columns.answer=乙列"]
    assert run([*words, *named]) == 0
    records = list(read_records(tmp_path / "1_collected" / "x"))
    assert [(record.title, record.answers[0].text) for record in records] == [("问", "答"), ("问二", "答二")]
