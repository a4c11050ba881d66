import subprocess
import sys
import time

import psutil
import pytest

from hardship import finished
from made_up import dialogues, write_lines
from psyllm.clean import execute
from psyllm.clean.run import run
from psyllm.clean.shards import Shard
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import WorkerLost
from psyllm.core.settings import CleanSettings
from psyllm.core.stages import Stage, current_run

_RUN = """
import sys
from pathlib import Path
from psyllm.clean import execute
from psyllm.clean.run import run
from psyllm.core.settings import CleanSettings
if __name__ == "__main__":
    execute.FEWEST_ROWS_FOR_WORKERS = 1
    print(run(CleanSettings(workers=2), Path(sys.argv[1])).content_hash)
"""


@pytest.fixture
def collected(tmp_path):
    """Four sources, so four shards; some records are duplicates across them."""
    for number in range(4):
        values = dialogues(150, seed=number) + dialogues(10, seed=99)
        path = write_lines(values, tmp_path / f"{number}.input")
        collect(CollectSettings(path=path, name=f"source-{number}", licence="CC0-1.0"), tmp_path / "data")
    return tmp_path / "data"


def content(data):
    folder = current_run(data, Stage.CLEANED)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".parquet"}


def copy_of(data, name):
    target = data.with_name(name)
    target.mkdir()
    (target / "1_collected").symlink_to(data / "1_collected")
    return target


def program(tmp_path):
    path = tmp_path / "run.py"
    path.write_text(_RUN)
    return path


def test_processes_give_the_bytes_of_one(collected, monkeypatch):
    alone = run(CleanSettings(workers=1), collected)
    assert alone.drops == {"exact_duplicate": 30}
    beside = copy_of(collected, "beside")
    monkeypatch.setattr(execute, "FEWEST_ROWS_FOR_WORKERS", 1)
    assert run(CleanSettings(workers=2), beside).content_hash == alone.content_hash
    assert content(beside) == content(collected)


def test_ray_gives_the_bytes_of_one_process(collected):
    pytest.importorskip("ray")
    alone = run(CleanSettings(), collected)
    beside = copy_of(collected, "beside")
    ended = finished("clean", CleanSettings(engine="ray", workers=2), beside)
    assert ended.content_hash == alone.content_hash
    assert content(beside) == content(collected)


def test_a_killed_worker_costs_time_but_no_record(collected, tmp_path):
    whole = run(CleanSettings(), collected)
    beside = copy_of(collected, "beside")
    with subprocess.Popen(
        [sys.executable, program(tmp_path), beside], stdout=subprocess.PIPE, text=True
    ) as child:
        worker = first_worker(psutil.Process(child.pid))
        worker.kill()
        said, _ = child.communicate(timeout=120)
    assert said.strip() == whole.content_hash


def test_workers_end_when_the_one_who_started_them_is_killed(collected, tmp_path):
    with subprocess.Popen([sys.executable, program(tmp_path), collected], stdout=subprocess.PIPE) as child:
        worker = first_worker(psutil.Process(child.pid))
        child.kill()
    worker.wait(timeout=30)


def test_workers_killed_twice_are_an_error_that_keeps_what_is_done(tmp_path, monkeypatch):
    shards = [Shard(number, tmp_path, 1, tmp_path, CleanSettings()) for number in range(3)]
    tried = []

    def loses_one(_, left, workers, __):
        tried.append((len(left), workers))
        return list(left)[1:]

    monkeypatch.setattr(execute, "_run_in_pool", loses_one)
    monkeypatch.setattr(execute, "FEWEST_ROWS_FOR_WORKERS", 1)
    with pytest.raises(WorkerLost, match="1 of 3 files are not done") as caught:
        execute.run_shards(lambda *_: None, shards, 2, "clean")
    assert tried == [(3, 2), (2, 1)]
    assert "--set clean.workers=1" in caught.value.next_step


def first_worker(parent):
    """Return the first process that cleans (the other child of a pool only tracks resources)."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for child in parent.children():
            if "spawn_main" in " ".join(child.cmdline()):
                return child
        time.sleep(0.02)
    raise AssertionError("no worker came")
