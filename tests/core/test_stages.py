"""Folders of runs: complete or not there at all."""

import errno
import subprocess
import sys

import pytest

from psyllm.core.errors import DiskFull, EmptyCorpus, MissingStage, StageBusy
from psyllm.core.stages import (
    Stage,
    StageRun,
    code_hash,
    complete_runs,
    current_run,
    fingerprint,
    need_current,
    read_manifest,
    up_to_date,
    write_text_atomically,
    writing,
)


def make_run(data, name="a-1", stage=Stage.CLEANED, text="words"):
    with writing(StageRun(data, stage, name, "mark", (), {"floor": 3})) as run:
        (run.folder / "part.txt").write_text(text)
        return run.finish(counts={"records": 1}, drops={"short": 2}, seeds={"seed": 4})


def test_a_finished_run_is_complete_and_in_use(tmp_path):
    manifest = make_run(tmp_path)
    folder, found = need_current(tmp_path, Stage.CLEANED)
    assert folder == tmp_path / "2_cleaned" / "a-1"
    assert found == manifest
    assert found.counts == {"records": 1}
    assert found.settings == {"floor": 3}
    assert set(found.files) == {"part.txt"}


def test_a_run_without_a_manifest_does_not_exist(tmp_path):
    folder = tmp_path / "2_cleaned" / "a-1"
    folder.mkdir(parents=True)
    (tmp_path / "2_cleaned" / "current").write_text("a-1\n")
    assert current_run(tmp_path, Stage.CLEANED) is None
    assert complete_runs(tmp_path, Stage.CLEANED) == []
    with pytest.raises(MissingStage) as caught:
        need_current(tmp_path, Stage.CLEANED)
    assert caught.value.next_step == f"run: psyllm clean --data {tmp_path}"


def test_equal_content_has_an_equal_hash_and_other_content_another(tmp_path):
    first = make_run(tmp_path / "x")
    second = make_run(tmp_path / "y")
    third = make_run(tmp_path / "z", text="other words")
    assert first.content_hash == second.content_hash != third.content_hash


def test_a_failed_run_leaves_the_one_in_use_alone(tmp_path):
    make_run(tmp_path)
    (tmp_path / "2_cleaned" / "b-2").mkdir()
    (tmp_path / "2_cleaned" / "b-2" / "half").write_text("half")
    with (
        pytest.raises(ValueError, match="broke"),
        writing(StageRun(tmp_path, Stage.CLEANED, "b-2", "m", (), {})),
    ):
        raise ValueError("broke")
    folder, _ = need_current(tmp_path, Stage.CLEANED)
    assert folder.name == "a-1"
    make_run(tmp_path, "b-2")
    assert not (tmp_path / "2_cleaned" / "b-2" / "half").exists(), "a new try must start from an empty folder"


def test_up_to_date_needs_every_file(tmp_path):
    make_run(tmp_path)
    assert up_to_date(tmp_path, Stage.CLEANED, "a-1") is not None
    (tmp_path / "2_cleaned" / "a-1" / "part.txt").unlink()
    assert up_to_date(tmp_path, Stage.CLEANED, "a-1") is None


def test_up_to_date_puts_an_older_run_back_in_use(tmp_path):
    make_run(tmp_path, "a-1")
    make_run(tmp_path, "b-2")
    up_to_date(tmp_path, Stage.CLEANED, "a-1")
    assert need_current(tmp_path, Stage.CLEANED)[0].name == "a-1"


def test_a_second_process_is_told_that_the_stage_is_busy(tmp_path):
    program = (
        "import sys; from pathlib import Path; from psyllm.core.stages import *\n"
        "with writing(StageRun(Path(sys.argv[1]), Stage.CLEANED, 'a', 'm', (), {})):\n"
        "    print('in', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(StageBusy), writing(StageRun(tmp_path, Stage.CLEANED, "b", "m", (), {})):
            pass
        other.stdin.close()
        other.wait()
    make_run(tmp_path)


def test_a_full_disk_becomes_an_error_with_a_next_step(tmp_path):
    with pytest.raises(DiskFull) as caught, writing(StageRun(tmp_path, Stage.CLEANED, "a", "m", (), {})):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "--data" in caught.value.next_step
    assert not (tmp_path / "2_cleaned" / "a").exists()


def test_other_faults_of_the_system_stay_what_they_are(tmp_path):
    with pytest.raises(PermissionError), writing(StageRun(tmp_path, Stage.CLEANED, "a", "m", (), {})):
        raise PermissionError(errno.EACCES, "no")


def test_the_fingerprint_depends_on_input_settings_and_code(tmp_path):
    parent = make_run(tmp_path).as_parent()
    base = fingerprint(Stage.CORPUS, [parent], {"seed": 1}, ["core"])
    assert base == fingerprint(Stage.CORPUS, [parent], {"seed": 1}, ["core"])
    assert base != fingerprint(Stage.CORPUS, [], {"seed": 1}, ["core"])
    assert base != fingerprint(Stage.CORPUS, [parent], {"seed": 2}, ["core"])
    assert base != fingerprint(Stage.CORPUS, [parent], {"seed": 1}, ["core", "cli"])


def test_code_hashes_of_different_rooms_differ():
    assert code_hash(["core"]) != code_hash(["cli"])


def test_an_atomic_write_leaves_no_temporary_file(tmp_path):
    write_text_atomically(tmp_path / "current", "a\n")
    write_text_atomically(tmp_path / "current", "b\n")
    assert [path.name for path in tmp_path.iterdir()] == ["current"]
    assert (tmp_path / "current").read_text() == "b\n"


def test_reading_no_manifest_gives_none(tmp_path):
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("keep_partial", [True, False])
def test_a_run_that_is_refused_before_it_wrote_anything_leaves_no_folder(tmp_path, keep_partial):
    run = StageRun(tmp_path, Stage.CLEANED, "a-1", "mark", (), {})
    with pytest.raises(EmptyCorpus), writing(run, keep_partial=keep_partial):
        raise EmptyCorpus("nothing to learn", "collect something first")
    assert not (tmp_path / "2_cleaned" / "a-1").exists()
