"""Broken runs, damaged files and a full disk neither stop what must go nor leave copies of it."""

import copy
import errno
import json

import pyarrow.parquet as pq
import pytest

from forgotten_story import HERS, SECRET, collected, holds, question
from psyllm.cli.main import run as cli
from psyllm.core import forgotten_files
from psyllm.core.errors import DiskFull, MalformedInput
from psyllm.core.forgetting import containing, forget, marks_of, remove_copies
from psyllm.core.settled_reviews import (
    DECISIONS,
    REVIEWS_RUN,
    SettledReview,
    read_settled,
    reviews_folder,
    write_settled,
)
from psyllm.core.stages import Stage, StageRun, locked, writing
from psyllm.core.tombstones import append_tombstones, read_tombstones, tombstones_path


@pytest.fixture
def data(tmp_path):
    home = tmp_path / "data"
    collected(home, [question(1, text=SECRET, author_hash=HERS), question(2)])
    return home


@pytest.mark.parametrize("name", [".site.new", "half", ".other.new.old"])
def test_what_a_killed_run_left_is_removed_and_stops_nothing(data, name):
    torn = data / "1_collected" / name / "part-00000.parquet"
    torn.parent.mkdir()
    whole = (data / "1_collected" / "site" / "part-00000.parquet").read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    assert [key for key, _ in containing(data, SECRET)] == ["site:1"]
    forget(data, marks_of((), [HERS], ()))
    assert not torn.parent.exists()
    assert not holds(data, SECRET)


def test_a_training_that_may_go_on_stays_while_its_corpus_does(data):
    half = data / "4_models" / "half"
    half.mkdir(parents=True)
    forget(data, marks_of((), [HERS], ()))
    assert half.exists()


@pytest.mark.parametrize("damage", ["torn", "inside"])
def test_a_damaged_file_of_a_complete_run_is_named_with_what_to_do(data, damage):
    path = data / "1_collected" / "site" / "part-00000.parquet"
    raw = path.read_bytes()
    middle = len(raw) // 4
    path.write_bytes(raw[:middle] if damage == "torn" else raw[:4] + bytes(middle) + raw[4 + middle :])
    with pytest.raises(MalformedInput, match=r"part-00000.parquet is damaged") as caught:
        forget(data, marks_of((), [HERS], ()))
    assert "make it again" in caught.value.next_step
    assert read_tombstones(data).authors == {HERS}


@pytest.mark.parametrize("name", ["1_collected/site/manifest.json", "4_models/half/began.json"])
@pytest.mark.parametrize("holds_now", ["{", "[1, 2", '{"parents": 3}', "[" * 100_000, b"\xff"])
def test_a_run_that_cannot_say_what_it_is_stops_it_before_anything_goes(data, name, holds_now):
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(holds_now if isinstance(holds_now, bytes) else holds_now.encode())
    with pytest.raises(MalformedInput, match=rf"{path.name} is damaged") as caught:
        forget(data, marks_of((), [HERS], ()))
    assert str(path.parent) in caught.value.next_step
    assert holds(data, SECRET)
    assert read_tombstones(data).authors == {HERS}  # so that nothing of it comes in meanwhile


@pytest.mark.parametrize("way", ["forget", "withdraw"])
def test_a_report_that_cannot_say_from_what_it_was_made_goes_too_and_stops_nothing(data, way):
    for name in ("report-torn", "report-whole"):
        with writing(StageRun(data, Stage.REPORTS, name, "f", (), {})) as run:
            run.finish(counts={})
    (data / "5_reports" / "report-torn" / "manifest.json").write_text("{}")
    left = [data / "5_reports" / "report-whole"]
    if way == "withdraw":
        assert remove_copies(data, {"split"}) == (("5_reports/report-torn",), ())
    else:
        forget(data, marks_of((), [HERS], ()))
        assert not holds(data, SECRET)
    assert [path for path in (data / "5_reports").iterdir() if path.is_dir()] == left


def test_a_full_disk_leaves_no_copy_and_the_same_command_ends_it(data, monkeypatch):
    class FullDisk(pq.ParquetWriter):
        def write_batch(self, *_, **__):
            raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(forgotten_files.pq, "ParquetWriter", FullDisk)
    with pytest.raises(DiskFull, match="no space left on the disk"):
        forget(data, marks_of((), [HERS], ()))
    assert not list(data.rglob("*.forgetting"))
    monkeypatch.undo()
    forget(data, marks_of((), [HERS], ()))
    assert not holds(data, SECRET)


def test_half_a_tombstone_does_not_stay_on_a_full_disk(data, monkeypatch):
    marks = marks_of((), [HERS], ())
    append_tombstones(data, marks)

    def full(_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("psyllm.core.tombstones.os.fsync", full)
    with pytest.raises(DiskFull):
        forget(data, marks)
    assert [json.loads(line)["mark"] for line in tombstones_path(data).read_text().splitlines()] == [HERS]


def test_a_stage_that_was_not_there_at_the_start_is_not_touched(data):
    def somebody_cleans(_):
        with writing(StageRun(data, Stage.CLEANED, "new", "mark", (), {}), keep_partial=True) as stage_run:
            (stage_run.folder / "work").mkdir()
            stage_run.finish(counts={})

    forget(data, marks_of((), [HERS], ()), remake=somebody_cleans)
    assert (data / "2_cleaned" / "new" / "work").is_dir()
    with locked(data, Stage.CLEANED):
        pass


def test_a_decision_that_can_t_be_read_goes_and_is_told(data, capsys):
    good = SettledReview(id="site:2", words="c" * 64, verdict="accept", reviewers=("a", "b"))
    with writing(StageRun(data, Stage.FEEDBACK, REVIEWS_RUN, "mark", (), {})) as stage_run:
        write_settled(stage_run.folder, [good])
        stage_run.finish(counts={"records": 0})
    lines = reviews_folder(data) / DECISIONS
    cut = '{"id":"site:1","edited":{"text":"' + SECRET
    lines.write_bytes(cut.encode() + b"\xe5\n" + lines.read_bytes() + b'{"id":3}\n')
    with pytest.raises(MalformedInput, match="line 1: this is no decision"):
        read_settled(data)
    assert cli(["forget", "--data", str(data), "--author", HERS]) == 0
    said = capsys.readouterr()
    assert "2 lines that can't be read removed" in said.out
    assert SECRET not in said.out + said.err
    assert not holds(data, SECRET)
    assert list(read_settled(data)) == [("site:2", "c" * 64)]


def test_decisions_that_are_gone_or_fewer_do_not_count_as_none(data):
    good = SettledReview(id="site:2", words="c" * 64, verdict="reject", reviewers=("a", "b"))
    with writing(StageRun(data, Stage.FEEDBACK, REVIEWS_RUN, "mark", (), {})) as stage_run:
        write_settled(stage_run.folder, [good])
        stage_run.finish(counts={"records": 0})
    (reviews_folder(data) / DECISIONS).write_bytes(b"")
    with pytest.raises(MalformedInput, match="not what was written there"):
        read_settled(data)
    (reviews_folder(data) / DECISIONS).unlink()
    with pytest.raises(MalformedInput, match="is gone"):
        read_settled(data)


@pytest.mark.parametrize("facts", [b"", b"{bad", b"[]", b"\xff", b"[" * 100_000])
def test_an_export_that_no_longer_says_what_it_is_goes_whole(data, facts):
    torn, other = data / "exports" / "torn", data / "exports" / "other"
    for folder in (torn, other):
        folder.mkdir(parents=True)
        (folder / "train.json").write_text(SECRET if folder is torn else "{}", "utf-8")
    (torn / "export.json").write_bytes(facts)
    (other / "export.json").write_text(json.dumps({"corpus": "another", "files": []}))
    done = forget(data, marks_of((), [HERS], ()))
    assert done.removed == ("exports/torn",)
    assert not holds(data, SECRET)
    assert (other / "train.json").exists()


def test_an_error_comes_whole_out_of_a_worker():
    error = copy.copy(MalformedInput("a file is damaged", "restore it"))  # made again as pickle would
    assert (type(error), error.message, error.next_step) == (
        MalformedInput,
        "a file is damaged",
        "restore it",
    )
