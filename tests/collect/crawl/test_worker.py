"""One worker with a real frontier and a downloader that is played: time, faults and disk as we like."""

import asyncio
import gzip
import random
import threading
import time
from datetime import UTC, datetime

import pytest

from full_disk import files_of_at_most
from played_worker import HOST, TODAY, Played, Stage, page, urls
from psyllm.collect.crawl import worker
from psyllm.collect.crawl.answers import Fault, Fetched
from psyllm.collect.crawl.shared import Shared
from psyllm.collect.crawl.worker import EXPIRED, FINISHED
from psyllm.collect.frontier.contract import Ask, Outcome, Settled
from psyllm.collect.frontier.open import open_frontier
from psyllm.collect.sites.generic import Generic
from psyllm.core.errors import DiskFull, MalformedInput
from psyllm.core.forgetting import marks_of
from psyllm.core.tombstones import append_tombstones, tombstones_path


def test_links_are_followed_in_scope_and_each_once(tmp_path):
    getter = Played()
    getter.said[f"{HOST}/1"] = [
        page(f"{HOST}/1", "/2", "/2#x", "/3?utm_source=y", "http://elsewhere.example/1")
    ]
    stage = Stage(tmp_path, getter)
    assert stage.run(f"{HOST}/1") == FINISHED
    assert sorted(getter.urls) == [f"{HOST}/1", f"{HOST}/2", f"{HOST}/3"]
    assert stage.counts() == {"stored": 3}


def test_a_wall_that_every_page_of_an_unknown_site_is_ends_its_crawl(tmp_path):
    login = (
        "<html><title>登录</title><form><p>请先登录后查看</p><input type='password'></form></html>".encode()
    )
    getter = Played()
    getter.said = {url: [Fetched(url, 200, {"content-type": "text/html"}, login)] for url in urls(20)}
    stage = Stage(tmp_path, getter)
    assert stage.run(*urls(20)) == FINISHED
    assert len(getter.urls) == 3
    assert stage.counts() == {"stored": 2, "stopped": 18}
    assert set(stage.details(Outcome.STOPPED).values()) == {"login"}


def test_a_page_that_breaks_its_reader_ends_no_crawl(tmp_path, monkeypatch):
    getter = Played()
    odd = "<meta charset=undefined><p>睡不着</p>".encode("gb18030")
    getter.said = {urls(2)[1]: [Fetched(urls(2)[1], 200, {"content-type": "text/html"}, odd)]}
    stage = Stage(tmp_path, getter)
    assert stage.run(*urls(2)) == FINISHED
    assert stage.counts() == {"stored": 2}

    def broken(*_):
        raise ValueError

    monkeypatch.setattr(worker, "decide", broken)
    assert stage.run(f"{HOST}/3") == FINISHED
    assert stage.details(Outcome.NOTHING) == {"/3": "answer_unreadable"}


def test_the_permissions_end_is_met_during_the_crawl(tmp_path):
    getter = Played()
    stage = Stage(
        tmp_path, getter, now=lambda: TODAY if len(getter.urls) < 5 else datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert stage.run(*urls(40)) == EXPIRED
    assert len(getter.urls) == 5
    assert stage.counts() == {"waiting": 35, "stored": 5}


def test_one_request_a_host_at_a_time(tmp_path):
    getter = Played()
    Stage(tmp_path, getter).run(*urls(30))
    assert getter.most_busy == 1


def test_two_workers_wait_for_one_another_however_late_an_answer_comes(tmp_path, monkeypatch):
    for place in ("crawl.gates", "frontier.sqlite_clock"):
        monkeypatch.setattr(f"psyllm.collect.{place}.HOLD_S", 0.5)
    getter = Played(takes_s=1.2)
    one, other = (Stage(tmp_path, getter, delay_s=0.05) for _ in range(2))
    frontier = one.frontier()
    frontier.add([Ask(url) for url in urls(70)])
    frontier.close()

    async def both():
        running = [asyncio.ensure_future(stage.crawl(Shared)) for stage in (one, other)]
        await asyncio.sleep(5)
        (tmp_path / "STOP").touch()
        await asyncio.gather(*running)

    asyncio.run(both())
    assert len(getter.urls) >= 2
    assert getter.most_busy == 1


def test_a_busy_host_is_left_in_peace_as_long_as_it_asked(tmp_path):
    busy = Fetched(f"{HOST}/3", 429, {"retry-after": "1"}, b"")
    getter = Played()
    getter.said[f"{HOST}/3"] = [busy]
    stage = Stage(tmp_path, getter)
    assert stage.run(*urls(12)) == FINISHED
    times = [at for _, at in getter.asked]
    third = getter.urls.index(f"{HOST}/3") + 1
    assert times[third + 1] - times[third] >= 0.95
    assert stage.counts() == {"stored": 12}


def test_a_fault_is_tried_again_and_given_up_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("psyllm.collect.crawl.answers._REST_ON_FAULT_S", 0.05)
    getter = Played()
    getter.said[f"{HOST}/1"] = [Fault("timeout"), page(f"{HOST}/1")]
    getter.said[f"{HOST}/2"] = [Fault("dropped")] * 3
    stage = Stage(tmp_path, getter)
    assert stage.run(*urls(3)) == FINISHED
    assert stage.counts() == {"stored": 2, "failed": 1}
    assert stage.details(Outcome.FAILED) == {"/2": "dropped"}
    assert [getter.urls.count(url) for url in urls(3)] == [2, 3, 1]


def test_a_stop_file_lets_nothing_new_begin(tmp_path):
    getter = Played()

    def throw(url):
        if url == f"{HOST}/3":
            (tmp_path / "STOP").touch()

    getter.before = throw
    stage = Stage(tmp_path, getter, delay_s=0.2)
    began = time.time()
    assert stage.run(*urls(30)) == "stopped"
    assert len(getter.urls) < 10
    assert time.time() - began < 10
    assert "leased" not in stage.counts()


def test_pages_that_can_not_be_written_are_not_counted_and_wait_for_the_next_worker(tmp_path):
    getter = Played()
    getter.said[f"{HOST}/1"] = [large_page(f"{HOST}/1")]
    stage = Stage(tmp_path, getter)
    with files_of_at_most(1_000_000), pytest.raises(DiskFull):
        stage.run(*urls(5))
    assert stage.counts() == {"waiting": 5}
    assert Stage(tmp_path, getter).run() == FINISHED
    assert stage.counts() == {"stored": 5}


def large_page(url):
    """A page that packing makes no smaller than 1.5 MB."""
    return Fetched(
        url, 200, {"content-type": "text/plain"}, random.Random(1).randbytes(1_500_000).hex().encode()
    )


def test_a_lease_that_went_to_another_worker_is_not_stored_again(tmp_path):
    getter = Played()
    stage = Stage(tmp_path, getter, heartbeat_s=60)

    def stall(url):
        """The machine stalls longer than the lease; meanwhile another worker stores the page."""
        if url == f"{HOST}/1" and len(getter.asked) == 1:
            time.sleep(2.2)
            other, clock = open_frontier(stage.place, lease_s=2)
            (lease,) = other.claim("other", 1)
            assert other.settle([settled_elsewhere(lease)])
            other.close()
            clock.close()

    getter.before = stall
    assert stage.run(f"{HOST}/1") == FINISHED
    frontier = stage.frontier()
    assert list(frontier.stored()) == [(f"{HOST}/1", "page", "other:0:1")]
    frontier.close()


def settled_elsewhere(lease):
    return Settled(lease, Outcome.STORED, "other:0:1")


def test_what_lies_too_deep_or_out_of_scope_is_not_asked(tmp_path):
    getter = Played()
    for number in range(1, 9):
        getter.said[f"{HOST}/{number}"] = [page(f"{HOST}/{number}", f"/{number + 1}")]
    stage = Stage(tmp_path, getter, most_depth=3)
    assert stage.run(f"{HOST}/1", "http://elsewhere.example/1") == FINISHED
    assert getter.urls == urls(4)
    assert stage.counts() == {"stored": 4, "refused": 1}


def test_a_page_whose_links_can_not_be_read_is_kept_and_counted(tmp_path, monkeypatch):
    def broken(self, page):
        if page.url == f"{HOST}/2":
            message = "words of the page"
            raise ValueError(message)
        return links(self, page)

    links = Generic.links
    monkeypatch.setattr(Generic, "links", broken)
    getter = Played()
    deep = b"<a href='/5'>x</a>" + b"<div>" * 200_000
    getter.said[f"{HOST}/1"] = [Fetched(f"{HOST}/1", 200, {"content-type": "text/html"}, deep)]
    getter.said[f"{HOST}/3"] = [page(f"{HOST}/3", "http://[此处填写网址]", "/4")]
    stage = Stage(tmp_path, getter)
    began = time.process_time()
    assert stage.run(*urls(3)) == FINISHED
    assert time.process_time() - began < 10
    assert sorted(getter.urls) == urls(4)
    assert stage.details(Outcome.STORED) == {
        "/1": "nests_too_deeply",
        "/2": "links_unreadable",
        "/3": "",
        "/4": "",
    }


def test_redirects_without_end_end_at_the_limit_of_depth(tmp_path):
    getter = Played()
    for number in range(1, 20):
        location = {"location": f"/{number + 1}"}
        getter.said[f"{HOST}/{number}"] = [Fetched(f"{HOST}/{number}", 302, location, b"")]
    stage = Stage(tmp_path, getter, most_depth=3)
    assert stage.run(f"{HOST}/1") == FINISHED
    assert getter.urls == urls(4)
    assert stage.counts() == {"nothing": 4}
    assert stage.details(Outcome.NOTHING)["/4"] == "redirect_too_deep"


def test_no_more_pages_are_kept_than_a_worker_may(tmp_path):
    stage = Stage(tmp_path, Played(), most_pages=7)
    stage.run(*urls(30))
    assert stage.counts() == {"waiting": 23, "stored": 7}


def test_what_is_forgotten_meanwhile_is_not_asked_for_and_what_is_under_way_is_not_kept(tmp_path):
    getter = Played()

    def forget(url):
        if url == f"{HOST}/2":
            append_tombstones(tmp_path, marks_of([f"{HOST}/2", f"{HOST}/5/"], (), ()))

    getter.before = forget
    stage = Stage(tmp_path, getter)
    assert stage.run(*urls(6)) == FINISHED
    assert f"{HOST}/5" not in getter.urls
    assert stage.counts() == {"stored": 4, "refused": 2}
    assert stage.details(Outcome.REFUSED) == {"/2": "forgotten", "/5": "forgotten"}
    assert not any(b"/2" in gzip.decompress(path.read_bytes()) for path in tmp_path.rglob("*.gz"))


def test_what_is_forgotten_while_it_waits_for_the_clock_is_not_asked_for(tmp_path):
    getter = Played()

    def forget(url):
        if url == f"{HOST}/1":
            threading.Timer(0.1, append_tombstones, (tmp_path, marks_of([f"{HOST}/2"], (), ()))).start()

    getter.before = forget
    stage = Stage(tmp_path, getter, delay_s=0.4)
    assert stage.run(*urls(3)) == FINISHED
    assert getter.urls == [f"{HOST}/1", f"{HOST}/3"]


def test_a_broken_list_of_what_was_forgotten_ends_the_crawl(tmp_path):
    tombstones_path(tmp_path).write_text('{"kind": "url"', "utf-8")
    getter = Played()
    with pytest.raises(MalformedInput, match="no tombstone"):
        Stage(tmp_path, getter).run(*urls(2))
    assert not getter.urls
