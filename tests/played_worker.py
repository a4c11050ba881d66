"""A worker of a crawl with a real frontier and a downloader that is played, for tests of what it does."""

import asyncio
import hashlib
import time
from datetime import UTC, date, datetime

from psyllm.collect.crawl.answers import Fetched
from psyllm.collect.crawl.finding import Finder, Reader
from psyllm.collect.crawl.permission import Permission, Scope
from psyllm.collect.crawl.segments import Segments
from psyllm.collect.crawl.shared import Shared
from psyllm.collect.crawl.watched import Watched
from psyllm.collect.crawl.worker import Limits, Worker
from psyllm.collect.frontier.contract import Ask
from psyllm.collect.frontier.open import open_frontier

HOST = "http://site.example"
TODAY = datetime(2026, 11, 25, 12, tzinfo=UTC)


def let_pass(url):
    del url


class Played:
    """Answers every URL; `said` overrides by URL, one answer after the other; notes when it was asked."""

    def __init__(self, takes_s=0.002, **said):
        self.said = {f"{HOST}/{name}": list(answers) for name, answers in said.items()}
        self.asked: list[tuple[str, float]] = []
        self.busy = self.most_busy = 0
        self.takes_s = takes_s
        self.before = let_pass

    @property
    def urls(self):
        return [url for url, _ in self.asked if not url.endswith("robots.txt")]

    async def get(self, url, most_bytes=0):
        del most_bytes
        self.before(url)
        self.asked.append((url, time.time()))
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        await asyncio.sleep(self.takes_s)
        self.busy -= 1
        if url.endswith("robots.txt"):
            return Fetched(url, 404, {}, b"")
        waiting = self.said.get(url, [])
        return waiting.pop(0) if waiting else page(url)


def page(url, *links):
    body = "".join(f"<a href='{link}'>x</a>" for link in links) + "<p>一页</p>"
    return Fetched(url, 200, {"content-type": "text/html"}, f"<html><body>{body}</body></html>".encode())


def permission(**changes):
    values = {
        "id": "test-1",
        "source": "test",
        "basis": "a site of our own",
        "contact": "crawler@psyllm.example",
        "expires": date(2026, 12, 31),
        "document": "consent.txt",
        "document_sha256": hashlib.sha256(b"x").hexdigest(),
        "licence": "CC0-1.0",
        "may_train": True,
        "may_show": False,
        "delay_s": 0,
        "scope": (Scope(hosts=("site.example", "other.example"), paths=("/",)),),
        "starts": (f"{HOST}/1",),
    }
    return Permission(**{**values, **changes})


class Stage:
    """A worker on a folder of its own."""

    def __init__(self, folder, getter, now=lambda: TODAY, **changes):
        self.folder, self.getter, self.now = folder, getter, now
        self.permission = permission(
            **{name: changes.pop(name) for name in list(changes) if name == "delay_s"}
        )
        self.limits = {
            "name": "w1",
            "stop_file": folder / "STOP",
            "most_pages": None,
            "most_attempts": 3,
            "most_depth": 5,
            "robots_rest_s": 0.1,
            "heartbeat_s": 0.5,
        } | changes
        self.place = str(folder / "frontier.sqlite3")
        self.segments = Segments(folder / "segments", "w1")
        self.is_forgotten = Watched(folder, Reader(self.permission))

    def frontier(self):
        frontier, clock = open_frontier(self.place, lease_s=2)
        clock.close()
        return frontier

    def run(self, *urls):
        frontier = self.frontier()
        frontier.add([Ask(url, "page", 0) for url in urls])
        frontier.close()
        return asyncio.run(self.crawl(Shared))

    async def crawl(self, kind):
        shared = kind(self.place, "crawl", 2, self.segments)
        await shared.open()
        try:
            finder = Finder(Reader(self.permission), self.permission.covers, self.limits["most_depth"])
            return await Worker(
                self.permission,
                shared,
                self.getter,
                finder,
                Limits(**self.limits),
                self.now,
                self.is_forgotten,
            ).run()
        finally:
            await shared.close()

    def counts(self):
        frontier = self.frontier()
        found = frontier.counts()
        frontier.close()
        return {name: count for name, count in found.items() if count}

    def details(self, outcome):
        frontier = self.frontier()
        found = {done.url.removeprefix(HOST): done.detail for done in frontier.settled(outcome)}
        frontier.close()
        return found


def urls(count):
    return [f"{HOST}/{number}" for number in range(1, count + 1)]
