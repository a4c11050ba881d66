"""Only whole checkpoints count."""

import errno
import json

import pytest

from psyllm.train import saved


def checkpoint(stage, step, *, whole=True):
    folder = saved.folder_of(stage, step)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"w" * step)
    (folder / saved.STATE).write_text(json.dumps({"log_history": [{"step": step}]}))
    if whole:
        saved.mark_whole(folder)
    return folder


def test_a_checkpoint_without_its_mark_or_with_a_torn_file_does_not_count(tmp_path):
    checkpoint(tmp_path, 5)
    checkpoint(tmp_path, 10, whole=False)
    (checkpoint(tmp_path, 15) / "model.safetensors").write_bytes(b"w")
    (checkpoint(tmp_path, 20) / saved.STATE).unlink()
    (checkpoint(tmp_path, 25) / saved.WHOLE).write_text("{")
    assert saved.whole_steps(tmp_path) == [5]
    saved.drop_torn(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-5"]
    assert saved.history(tmp_path, 5) == [{"step": 5}]


def test_steps_are_numbers_and_not_words(tmp_path):
    for step in (5, 100, 20):
        checkpoint(tmp_path, step)
    assert saved.whole_steps(tmp_path) == [5, 20, 100]


def test_the_newest_and_the_best_stay(tmp_path):
    for step in (1, 2, 3, 4, 5):
        checkpoint(tmp_path, step)
    saved.drop_old(tmp_path, keep=2, best=2)
    assert saved.whole_steps(tmp_path) == [2, 4, 5]
    saved.drop_old(tmp_path, keep=2, best=None)
    assert saved.whole_steps(tmp_path) == [4, 5]
    saved.drop_all(tmp_path)
    assert saved.whole_steps(tmp_path) == []


def test_a_checkpoint_that_would_not_fit_is_refused_beforehand(tmp_path):
    saved.need_room(tmp_path, 1000)
    assert saved.disk_full(tmp_path, 1000) is None
    error = saved.disk_full(tmp_path, 1 << 60)
    assert "a checkpoint takes 1,152,921,504,607 MB" in error.message
    assert "train.keep_checkpoints=1" in error.next_step
    with pytest.raises(OSError) as caught:  # noqa: PT011 - which words, the file system chooses
        saved.need_room(tmp_path, 1 << 60)
    assert caught.value.errno in {errno.ENOSPC, errno.EFBIG}
    assert list(tmp_path.iterdir()) == []


def test_a_finished_stage_keeps_its_last_checkpoint_and_the_best_ones_weights(tmp_path):
    for step in (4, 8):
        folder = checkpoint(tmp_path / "a", step, whole=False)
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "scaler.pt", "training_args.bin"):
            (folder / name).write_bytes(name.encode())
        saved.mark_whole(folder)
    for _ in range(2):  # a process may die after the first time
        saved.keep_last(tmp_path / "a", last=8, best=4)
    saved.drop_all(tmp_path / "a")
    kept = tmp_path / "a" / saved.LAST
    names = {path.name for path in saved.folder_of(kept, 4).iterdir()}
    assert names == {"model.safetensors", saved.STATE, saved.WHOLE}
    assert not list(kept.rglob("training_args.bin"))
    assert saved.kept_steps(tmp_path / "a") == [4, 8]


def test_another_run_takes_over_what_was_kept_once(tmp_path):
    for step in (4, 8):
        checkpoint(tmp_path / "a", step)
    saved.keep_last(tmp_path / "a", last=8, best=4)
    checkpoint(tmp_path / "b", 4, whole=False)  # broke off while it took over
    saved.take_over(tmp_path / "a", tmp_path / "b")
    assert saved.whole_steps(tmp_path / "b") == [4, 8]
    checkpoint(tmp_path / "b", 12)
    saved.drop_old(tmp_path / "b", keep=1, best=None)
    saved.take_over(tmp_path / "a", tmp_path / "b")
    assert saved.whole_steps(tmp_path / "b") == [12]
    assert saved.kept_steps(tmp_path / "a") == [4, 8]


def test_files_that_were_about_to_take_anothers_place_go(tmp_path):
    (tmp_path / "adapt").mkdir()
    for name in (".metrics.jsonl.12.tmp", "adapt/.result.json.7.tmp", "metrics.jsonl", "adapt/result.json"):
        (tmp_path / name).write_text("{}")
    saved.drop_half_written(tmp_path)
    assert {path.name for path in tmp_path.rglob("*.*")} == {"metrics.jsonl", "result.json"}
