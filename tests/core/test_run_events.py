"""A run says that it is being made; what it says of its times makes no other run of it."""

import fcntl
import os
import signal
import subprocess
import sys
import threading

from psyllm.core import run_events
from psyllm.core.run_events import LOCK, being_made, is_being_made
from psyllm.core.stages import EVENTS, Stage, StageRun, hashed_files, writing
from psyllm.core.versions import PACKAGES_NAMED, library_versions

MAKER = """
import sys
from pathlib import Path
from psyllm.core.run_events import being_made
with being_made(Path(sys.argv[1])):
    print("made", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_being_made_inside_the_block_only(tmp_path):
    assert not is_being_made(tmp_path)
    with being_made(tmp_path):
        assert is_being_made(tmp_path)
        with being_made(tmp_path):  # a second process of the same training
            assert is_being_made(tmp_path)
    assert not is_being_made(tmp_path)


def test_a_killed_process_makes_no_run_any_more(tmp_path):
    command = [sys.executable, "-c", MAKER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout.readline() == "made\n"
        assert is_being_made(tmp_path)
        os.kill(maker.pid, signal.SIGKILL)
        maker.wait()
    assert not is_being_made(tmp_path)
    assert (tmp_path / EVENTS / LOCK).is_file()


def test_who_looks_never_keeps_a_run_from_being_made(tmp_path):
    (tmp_path / EVENTS).mkdir()
    (tmp_path / EVENTS / LOCK).touch()
    over = threading.Event()

    def look():
        while not over.is_set():
            is_being_made(tmp_path)

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(200):
        with being_made(tmp_path):
            pass
    over.set()
    looking.join()


def test_two_looks_at_once_do_not_take_each_other_for_a_maker(tmp_path):
    (tmp_path / EVENTS).mkdir()
    (tmp_path / EVENTS / LOCK).touch()
    seen = []

    def look():
        seen.extend(is_being_made(tmp_path) for _ in range(1500))

    looking = [threading.Thread(target=look) for _ in range(4)]
    for thread in looking:
        thread.start()
    for thread in looking:
        thread.join()
    assert len(seen) == 6000
    assert not any(seen)


def test_the_look_of_another_process_is_waited_for(tmp_path, monkeypatch):
    (tmp_path / EVENTS).mkdir()
    other = (tmp_path / EVENTS / LOCK).open("w")
    fcntl.flock(other, fcntl.LOCK_EX)
    # The other one's look ends while this one waits.
    monkeypatch.setattr(run_events.time, "sleep", lambda _: other.close())
    assert not is_being_made(tmp_path)
    assert other.closed


def test_events_are_no_part_of_what_a_run_is(tmp_path):
    run = StageRun(tmp_path, Stage.MODELS, "model-1", "mark", (), {})
    with writing(run):
        (run.folder / "weights").write_text("w")
        before = hashed_files(run.folder)
        (run.folder / EVENTS).mkdir()
        (run.folder / EVENTS / "speed.jsonl").write_text("12:00")
        (run.folder / "sub" / EVENTS).mkdir(parents=True)
        (run.folder / "sub" / EVENTS / "kept").write_text("x")
        manifest = run.finish(counts={})
    assert "weights" in before[0]
    assert sorted(manifest.files) == ["sub/events/kept", "weights"]


def test_versions_name_what_is_installed_and_leave_out_what_is_not():
    found = library_versions()
    assert {"python", "torch", "transformers", "peft", "accelerate"} <= set(found)
    assert set(found) <= {"python", *PACKAGES_NAMED}
