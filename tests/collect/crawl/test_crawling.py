"""The real crawler against a served site; judged by what the site saw."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from crawl_ground import environment, served, settled, wait_until
from psyllm.cli.main import STOPPED
from psyllm.collect.crawl.crawling import stop_crawl
from psyllm.collect.frontier.open import open_frontier
from psyllm.core.collect_settings import CrawlSettings
from psyllm.core.errors import BadSetting
from psyllm.core.records import read_records

DENIED = [
    "deny",
    "unauthorised",
    "forbidden",
    "too_many",
    "overload",
    "html",
    "html_as_text",
    "json",
    "waf",
    "bytes",
    "huge",
    "loop",
    "elsewhere",
    "behind_login",
    "moved_away",
    "drop",
    "slow",
]


def is_robots(path):
    return urlsplit(path).path.endswith("/robots.txt")


def manifest(ground, source="test"):
    return json.loads((ground.data / "1_collected" / source / "manifest.json").read_text())


def test_a_site_becomes_records_with_their_provenance(tmp_path):
    with served(
        tmp_path, [{"questions": 45}, {"questions": 25, "faults": True, "robots": "moved"}]
    ) as ground:
        ground.crawl(ground.permission(delay_s=0.005), "--workers", "2")
        seen = settled(ground.seen)
    records = list(read_records(ground.data / "1_collected" / "test"))
    found = manifest(ground)
    counts = found["counts"]
    assert counts["pages"] == counts["records"] + counts["joined"] + sum(found["drops"].values())
    robots = {row["sha256"] for row in found["details"]["robots"]}
    # Of the second host's 25 questions one is gone (23) and one has moved (19); the others failed once at most.
    assert len(records) == 45 + 23
    assert len({record.id for record in records}) == len(records)
    for record in records:
        assert record.kind == "question"
        assert record.permission_id == "test-1"
        assert record.robots_hash in robots
        assert record.url.startswith("http://127.0.0.1")
        assert record.fetched_at.endswith("Z") or "+00:00" in record.fetched_at
        assert record.licence == "CC0-1.0"
        assert all(len(answer.author_hash) == 32 for answer in record.answers)
    assert max(len(record.answers) for record in records) == 12, "both pages of a question make one record"
    assert found["details"]["ended"]["nothing"] == {"gone": 1, "redirect": 1}
    assert not any(row["path"].startswith("/private") for row in seen), "robots.txt says no"
    assert {row["user-agent"] for row in seen} == {seen[0]["user-agent"]}
    assert seen[0]["user-agent"].startswith("psyllm/")
    assert "crawler@psyllm.example" in seen[0]["user-agent"]
    assert seen[0]["from"] == "crawler@psyllm.example"
    assert not any("cookie" in row or "referer" in row for row in seen)
    good = [row["path"] for row in seen if row["host"] == 0]
    assert len(good) == len(set(good)), "nothing is fetched twice"
    assert good[0] == "/robots.txt"


def test_every_doubtful_robots_txt_means_that_nothing_else_is_asked(tmp_path):
    hosts = [{"questions": 20, "robots": word} for word in DENIED]
    with served(tmp_path, [{"questions": 5}, *hosts]) as ground:
        starts = [
            f"http://{ground.host(n)}/qa{rest}"
            for n in range(len(hosts) + 1)
            for rest in ("", "/1", "/2", "/3")
        ]
        ground.crawl(ground.permission(starts=starts))
        seen = settled(ground.seen)
    asked = {DENIED[n - 1]: [r["path"] for r in seen if r["host"] == n] for n in range(1, len(hosts) + 1)}
    assert {word: paths for word, paths in asked.items() if not all(map(is_robots, paths))} == {}
    assert all(asked.values()), "each was asked for its robots.txt"
    assert manifest(ground)["counts"]["records"] == 5
    assert manifest(ground)["details"]["crawl"]["refused"] >= 4 * len(hosts)


def test_a_wall_ends_the_host_and_is_recorded(tmp_path):
    walls = ["login", "busy", "forbidden", "captcha", "waf"]
    with served(
        tmp_path, [*({"questions": 40, "wall": wall} for wall in walls), {"questions": 10}]
    ) as ground:
        ground.crawl(ground.permission(delay_s=0.02))
        asked = settled(lambda: [ground.paths(n) for n in range(len(walls))])
    for paths in asked:
        assert paths.index("/qa/5") == len(paths) - 1, "nothing is sent after the wall"
    found = manifest(ground)["details"]
    left = {host: said["reason"] for host, said in found["hosts_left"].items()}
    assert [left[ground.host(n)] for n in range(5)] == ["login", "overload", "refused", "captcha", "waf"]
    assert all(len(said["url_sha256"]) == 64 and said["at"] for said in found["hosts_left"].values())
    assert found["ended"]["stopped"].keys() == set(left.values())
    assert found["ended"]["refused"] == {}
    assert manifest(ground)["counts"]["records"] == 10 + sum(len(paths) - 3 for paths in asked)


def test_the_delay_holds_over_three_workers_and_crawl_delay_is_obeyed(tmp_path):
    with served(tmp_path, [{"questions": 12}, {"questions": 3, "robots": "delay"}]) as ground:
        ground.crawl(ground.permission(delay_s=0.1), "--workers", "3")
        times = [[row["at"] for row in settled(lambda n=n: ground.seen(n))] for n in (0, 1)]
    gaps = [[later - earlier for earlier, later in itertools.pairwise(host)] for host in times]
    assert len(gaps[0]) == 14
    assert min(gaps[0]) >= 0.95 * 0.1
    assert min(gaps[1][1:]) >= 0.95 * 0.4


def test_two_permissions_of_one_host_share_its_clock(tmp_path):
    with served(tmp_path, [{"questions": 12}]) as ground:
        running = []
        for number in (1, 2):
            starts = [f"http://{ground.host(0)}/qa/{number * 6 - n}" for n in range(6)]
            permission = ground.permission(source=f"source{number}", starts=starts, delay_s=0.3)
            command = ground.command(permission.rename(tmp_path / f"{number}.toml"))
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            running.append(subprocess.Popen(command, env=environment(tmp_path), **quiet))
        for process in running:
            process.wait(timeout=60)  # who comes to the records second is told to try again
        times = [row["at"] for row in settled(ground.seen)]
    assert len(times) == 15, "12 questions, a second page, robots.txt for each source"
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.95 * 0.3


def test_an_endless_calendar_ends(tmp_path):
    with served(tmp_path, [{"questions": 1}]) as ground:
        start = [f"http://{ground.host(0)}/calendar/1"]
        permission = ground.permission(paths=["/calendar"], site="", starts=start)
        # Whether the months hold a text is not the question here.
        ground.crawl(permission, "--set", "collect.crawl.most_depth=6", check=False)
        months = {path.partition("?")[0] for path in settled(lambda: ground.paths(0))} - {"/robots.txt"}
    assert months == {f"/calendar/{month}" for month in range(1, 8)}


def test_no_more_pages_are_kept_than_permitted(tmp_path):
    with served(tmp_path, [{"questions": 60}, {"questions": 60}]) as ground:
        ground.crawl(ground.permission(most_pages=25), "--workers", "2")
        assert manifest(ground)["details"]["crawl"]["stored"] <= 25
        ground.crawl(ground.permission(most_pages=25))
        assert manifest(ground)["details"]["crawl"]["stored"] == 25


def test_the_limit_holds_over_several_commands_at_once(tmp_path):
    with served(tmp_path, [{"questions": 40}, {"questions": 40}, {"questions": 40}]) as ground:
        command = ground.command(ground.permission(most_pages=20, delay_s=0.01))
        running = [
            subprocess.Popen(
                command, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for _ in range(3)
        ]
        for process in running:
            process.wait(timeout=60)
    frontier, clock = open_frontier(str(ground.data / "raw" / "test" / "frontier.sqlite3"))
    assert frontier.counts()["stored"] == 20
    frontier.close()
    clock.close()


def test_the_kill_switch_ends_a_crawl_within_seconds_and_the_crawl_goes_on_where_it_stopped(tmp_path):
    with served(tmp_path, [{"questions": 60}]) as ground:
        permission = ground.permission(delay_s=0.4)
        running = subprocess.Popen(
            ground.command(permission, "--workers", "2"),
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: len(ground.seen()) > 8)
        stop(ground)
        thrown = time.time()
        _, said = running.communicate(timeout=30)
        assert running.returncode == 2
        assert "crawl-stop test --undo" in said
        late = [row for row in settled(ground.seen) if row["at"] > thrown + 1]
        assert late == []
        assert ground.crawl(permission, check=False).returncode == 2, "it stays stopped"
        stop(ground, "--undo")
        asked, before = len(ground.seen()), set(ground.paths(0))
        ground.crawl(ground.permission(delay_s=0.01))
        again = settled(ground.seen)[asked:]
    assert manifest(ground)["counts"]["records"] == 60
    paths = [row["path"] for row in again if row["path"] != "/robots.txt"]
    # What was under way when the crawl was stopped may be asked again: one for each worker at most.
    assert len(before & set(paths)) <= 2


def test_a_crawl_of_many_machines_is_not_called_stopped_when_only_this_one_is(tmp_path, redis_address):
    with served(tmp_path, [{"questions": 3}]) as ground:
        ground.crawl(ground.permission(source="many"), "--frontier", redis_address)
    folder = ground.data / "raw" / "many"
    frontier, clock = open_frontier(redis_address, crawl="many")
    with pytest.raises(BadSetting, match="only") as caught:
        stop_crawl(CrawlSettings(), ground.data, "many", "by hand")
    assert "--frontier" in caught.value.next_step
    assert redis_address.rpartition("@")[2].split("/")[2] in caught.value.next_step
    assert (folder / "STOP").exists()
    assert not (folder / "frontier.sqlite3").exists(), "no frontier is made by a stop"
    assert frontier.stopped() == ""
    shared = CrawlSettings(frontier=redis_address)
    assert stop_crawl(shared, ground.data, "many", "by hand") == folder
    assert frontier.stopped() == "by hand"
    with pytest.raises(BadSetting, match="taken back"):
        stop_crawl(CrawlSettings(), ground.data, "many", "")
    assert frontier.stopped() == "by hand"
    stop_crawl(shared, ground.data, "many", "")
    assert frontier.stopped() == ""
    frontier.close()
    clock.close()


def test_a_stop_at_a_frontier_without_the_crawl_is_told_and_makes_none(tmp_path):
    folder = tmp_path / "raw" / "site"
    folder.mkdir(parents=True)
    elsewhere = tmp_path / "other.sqlite3"
    with pytest.raises(BadSetting, match="holds no crawl"):
        stop_crawl(CrawlSettings(frontier=str(elsewhere)), tmp_path, "site", "by hand")
    assert (folder / "STOP").exists()
    assert not elsewhere.exists()
    assert stop_crawl(CrawlSettings(), tmp_path, "site", "") == folder
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["../../elsewhere", "..", "Site", "a/b", ""])
def test_a_stop_writes_nowhere_but_below_raw(tmp_path, name):
    (tmp_path / "data" / "raw" / "a" / "b").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(BadSetting, match="no name of a source"):
        stop_crawl(CrawlSettings(), tmp_path / "data", name, "by hand")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def stored_pages(ground):
    place = ground.data / "raw" / "test" / "frontier.sqlite3"
    if not place.exists():
        return 0
    frontier, clock = open_frontier(str(place), crawl="test")
    try:
        return frontier.counts()["stored"]
    finally:
        frontier.close()
        clock.close()


def let_expire(ground):
    over = time.time() - 40 * 86400
    for path in (ground.data / "raw" / "test" / "segments").glob("*.warc.gz"):
        os.utime(path, (over, over))


def test_what_expired_keeps_its_records_and_new_pages_become_records_beside_them(tmp_path):
    with served(tmp_path, [{"questions": 8}]) as ground:
        urls = [f"http://{ground.host(0)}/qa/{number}" for number in range(1, 9)]
        ground.crawl(ground.permission(starts=urls[:3], retention_days=30))
        early = {record.id: record for record in read_records(ground.data / "1_collected" / "test")}
        let_expire(ground)
        ground.crawl(ground.permission(starts=urls[:5], retention_days=30))
        found = manifest(ground)
        records = {record.id: record for record in read_records(ground.data / "1_collected" / "test")}
        assert len(early) == 3
        assert set(urls[:5]) == {record.url for record in records.values()}
        assert {name: record for name, record in records.items() if name in early} == early
        assert found["drops"] == {"page_expired": 3}
        assert found["counts"] == {"records": 5, "pages": 5, "joined": 0, "carried_over": 3}
        again = ground.crawl(ground.permission(starts=urls[:5], retention_days=30))
        assert again.returncode == 0
        assert manifest(ground) == found


@contextmanager
def hearing_ctrl_c():
    """Start what hears a SIGINT: a shell's job in the background hands an ignored one down to all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_crawl_that_outlived_its_first_pages_still_ends_in_records(tmp_path):
    with served(tmp_path, [{"questions": 240}]) as ground:  # a minute and a half, to be interrupted within
        with hearing_ctrl_c():
            running = subprocess.Popen(
                ground.command(ground.permission(delay_s=0.4, retention_days=30)),
                env=environment(tmp_path),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        wait_until(lambda: stored_pages(ground) > 3)  # fetched is not enough: they are written by the batch
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == STOPPED
        let_expire(ground)
        ground.crawl(ground.permission(delay_s=0, retention_days=30))
    found = manifest(ground)
    assert found["drops"].get("page_expired", 0) > 2, found
    counts = found["counts"]
    assert counts["records"] + counts["joined"] + sum(found["drops"].values()) == counts["pages"]
    assert len(list(read_records(ground.data / "1_collected" / "test"))) == counts["records"] >= 5


def test_without_a_permission_that_holds_nothing_is_sent(tmp_path):
    with served(tmp_path, [{"questions": 5}]) as ground:
        permission = ground.permission(expires="2020-01-01")
        result = ground.crawl(permission, check=False)
        assert result.returncode == 2
        assert "ended on 2020-01-01" in result.stderr
        permission = ground.permission()
        (tmp_path / "consent.txt").write_text("something else\n")
        assert ground.crawl(permission, check=False).returncode == 2
        assert ground.crawl(tmp_path / "none.toml", check=False).returncode == 2
        assert settled(ground.seen) == []
    assert not (ground.data / "raw").exists()


def stop(ground, *words):
    command = [
        sys.executable,
        "-m",
        "psyllm.cli",
        "collect",
        "crawl-stop",
        "test",
        "--data",
        str(ground.data),
        *words,
    ]
    subprocess.run(command, env=environment(ground.folder), check=True, capture_output=True)
