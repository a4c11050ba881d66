import multiprocessing
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from cleaned_story import put_reviews
from hardship import finished
from made_up import dialogues, write_lines
from psyllm.clean import execute
from psyllm.clean.draw import draw
from psyllm.clean.run import run
from psyllm.clean.shards import Shard
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import WorkerLost
from psyllm.core.records import read_records
from psyllm.core.settings import CleanSettings
from psyllm.core.settled_reviews import EditedTexts, SettledReview
from psyllm.core.stages import Stage, current_run

_RUN = """
import sys
from pathlib import Path
from psyllm.clean import execute
from psyllm.clean.draw import draw
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
    for stage in ("1_collected", "6_feedback"):
        if (data / stage).exists():
            (target / stage).symlink_to(data / stage)
    return target


def decide(data):
    """Collect what is dropped as unanswered and as near, clean all, and decide in every way on what came of it."""
    alone, near = dialogues(1, seed=5, turns=1)[0], dialogues(1, seed=0)[0]
    near["dialog"][0]["content"] += "就是这样。"
    path = write_lines([alone, {**near, "id": "near"}], data.with_name("hard.input"))
    collect(CollectSettings(path=path, name="hard", licence="CC0-1.0"), data)
    run(CleanSettings(workers=1), data)
    sample = draw(data, 60, seed=1)
    kept = {record.id: record for record in read_records(current_run(data, Stage.CLEANED))}
    decisions = []
    for number, item in enumerate(sample.items):
        reason = item.stratum.partition("dropped/")[2]
        verdict = "accept" if reason else ("accept", "reject", "edit")[number % 3]
        turns = tuple(f"{turn.text}就这样。" for turn in kept[item.id].turns) if verdict == "edit" else ()
        edited = EditedTexts(turns=turns) if turns else None
        told = {"verdict": verdict, "edited": edited, "dropped_for": reason, "reviewers": ("a", "b")}
        decisions.append(SettledReview(id=item.id, words=item.words, **told))
    put_reviews(data, decisions)
    return decisions


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


def test_ray_gives_the_bytes_of_one_process_with_what_people_decided_applied(collected):
    pytest.importorskip("ray")
    decisions = decide(collected)
    alone = run(CleanSettings(workers=1), collected)
    told = alone.details["reviews"]
    assert (told["decisions_applied"], told["decisions_stale"]) == (len(decisions), 0)
    assert told["wrong_drops_kept"] == 1
    verdicts = Counter(one.verdict for one in decisions)
    assert alone.drops["rejected_in_review"] == verdicts["reject"] > 5
    assert verdicts["edit"] > 5
    assert {one.dropped_for for one in decisions} == {"", "no_counsellor", "near_duplicate"}
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


def test_a_broken_pool_waits_for_no_worker_that_goes_on():
    workers = execute.Workers(2)
    pool, _ = workers.pool(2)
    futures = [pool.submit(time.sleep, 3600) for _ in range(2)]
    mine = {child.pid for child in multiprocessing.active_children()}
    workers.end_broken()
    assert mine
    assert not mine & {child.pid for child in multiprocessing.active_children()}
    assert all(future.done() for future in futures)


def test_workers_end_when_the_one_who_started_them_is_killed(collected, tmp_path):
    with subprocess.Popen([sys.executable, program(tmp_path), collected], stdout=subprocess.PIPE) as child:
        worker = first_worker(psutil.Process(child.pid))
        child.kill()
    worker.wait(timeout=30)


def test_workers_killed_twice_are_an_error_that_keeps_what_is_done(tmp_path, monkeypatch):
    shards = [Shard(number, tmp_path, 1, tmp_path, CleanSettings()) for number in range(3)]
    tried = []

    def loses_one(_, left, __, wanted, ___):
        tried.append((len(left), wanted))
        return list(left)[1:]

    monkeypatch.setattr(execute, "_run_in_pool", loses_one)
    monkeypatch.setattr(execute, "FEWEST_ROWS_FOR_WORKERS", 1)
    with pytest.raises(WorkerLost, match="1 of 3 files are not done") as caught:
        execute.run_shards(lambda *_: None, shards, execute.Workers(2), "clean")
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
