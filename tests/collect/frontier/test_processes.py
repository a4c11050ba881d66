"""Real processes on one frontier: killed, racing, sending on one clock."""

import itertools
import os
import random
import subprocess
import sys
import time
import uuid
from pathlib import Path

from conftest import ROOT
from frontier_worker import PopFirst, url_of
from psyllm.collect.frontier.contract import Ask

KILLS = 20


def start(what: str, where: str, log: Path, *rest: str) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / "tests" / "frontier_worker.py"), what, where, str(log), *rest]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})


def run_with_kills(begin, is_done, seed: int) -> int:
    """Keep two workers going, kill -9 one of them at random moments, let the rest finish; return the kills."""
    draw = random.Random(seed)
    workers = [begin(), begin()]
    kills = 0
    while kills < KILLS and not is_done():
        time.sleep(draw.uniform(0.02, 0.4))
        place = draw.randrange(2)
        if workers[place].poll() is None:
            workers[place].kill()
            kills += 1
        workers[place].wait()
        workers[place] = begin()
    for worker in workers:
        assert worker.wait(timeout=120) == 0
    return kills


def test_twenty_kills_lose_no_url_and_settle_none_twice(store, tmp_path):
    pages, crawl = 1200, f"kill{uuid.uuid4().hex}"
    log = tmp_path / f"{crawl}.log"
    frontier, clock = store.open(crawl)
    frontier.add([Ask(url_of(0))])
    kills = run_with_kills(
        lambda: start("crawl", store.where(crawl), log, str(pages), "0.5", ""), frontier.is_done, 20261125
    )
    assert kills == KILLS, "the crawl was over before the last kill: it needs more pages"
    settled = log.read_text().splitlines()
    assert len(settled) == len(set(settled)), "two workers were told that the same page is theirs"
    assert {url for url, _, _ in frontier.stored()} == {url_of(number) for number in range(pages)}
    assert frontier.counts()["stored"] == pages
    frontier.close()
    clock.close()


def test_a_queue_that_pops_before_the_download_does_lose_urls(tmp_path):
    pages, path = 1200, tmp_path / "queue.db"
    queue = PopFirst(path)
    queue.add([Ask(url_of(number)) for number in range(40)])
    run_with_kills(
        lambda: start("popfirst", str(path), tmp_path / "popfirst.log", str(pages), "0", ""),
        queue.is_done,
        20261125,
    )
    assert len(queue.kept()) < pages
    queue.connection.close()


def test_two_processes_never_hold_the_same_url(store, tmp_path):
    pages, crawl = 200, f"hold{uuid.uuid4().hex}"
    locks = tmp_path / "locks"
    locks.mkdir()
    frontier, clock = store.open(crawl)
    frontier.add([Ask(url_of(number)) for number in range(pages)])
    log = tmp_path / f"{crawl}.log"
    workers = [start("crawl", store.where(crawl), log, str(pages), "60", str(locks)) for _ in range(3)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0]
    assert sorted(log.read_text().splitlines()) == sorted(url_of(number) for number in range(pages))
    frontier.close()
    clock.close()


def test_three_processes_keep_one_hosts_delay(store, tmp_path):
    delay_s, crawl = 0.1, f"clock{uuid.uuid4().hex}"
    log = tmp_path / f"{crawl}.log"
    senders = [start("clock", store.where(crawl), log, str(delay_s), "7", "") for _ in range(3)]
    assert [sender.wait(timeout=60) for sender in senders] == [0, 0, 0]
    times = sorted(float(line) for line in log.read_text().splitlines())
    assert len(times) == 21
    assert min(late - early for early, late in itertools.pairwise(times)) >= 0.95 * delay_s
