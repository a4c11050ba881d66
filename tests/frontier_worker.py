"""Worker processes for the frontier's tests: they crawl a made-up tree of pages, or send on one clock.

    python frontier_worker.py crawl WHERE LOG PAGES LEASE_S LOCKS   (LOCKS "" for none)
    python frontier_worker.py popfirst WHERE LOG PAGES LEASE_S ""
    python frontier_worker.py clock WHERE LOG DELAY_S SENDS ""

Each line of a log is one `write`, so a killed worker leaves whole lines.
"""

import os
import sqlite3
import sys
import time
from pathlib import Path

from psyllm.collect.frontier.contract import Ask, Lease, Outcome, Settled
from psyllm.collect.frontier.open import open_frontier

PAGE_S = 0.01
BATCH = 4


def url_of(number: int) -> str:
    return f"http://host{number % 3}.test/page/{number}"


def links_of(url: str, pages: int) -> tuple[Ask, ...]:
    """Page n links to pages 2n+1 and 2n+2, and back to the first: whatever is lost takes its whole branch along."""
    number = int(url.rpartition("/")[2])
    return tuple(Ask(url_of(n)) for n in (2 * number + 1, 2 * number + 2, 0) if n < pages)


class PopFirst:
    """The contrast: a queue that hands URLs out by removing them, as a crawler that pops before it downloads."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS queue (url TEXT)")
        self.connection.execute("CREATE TABLE IF NOT EXISTS seen (url TEXT PRIMARY KEY)")
        self.connection.execute("CREATE TABLE IF NOT EXISTS kept (url TEXT PRIMARY KEY)")

    def add(self, asks: list[Ask] | tuple[Ask, ...]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        for ask in asks:
            if self.connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (ask.url,)).rowcount:
                self.connection.execute("INSERT INTO queue VALUES (?)", (ask.url,))
        self.connection.execute("COMMIT")

    def claim(self, _worker: str, most: int) -> list[Lease]:
        rows = self.connection.execute(
            "DELETE FROM queue WHERE rowid IN (SELECT rowid FROM queue LIMIT ?) RETURNING url", (most,)
        ).fetchall()
        return [Lease(url, "page", 0, 1, 1, 0) for (url,) in rows]

    def settle(self, done: list[Settled]) -> list[Settled]:
        for item in done:
            self.connection.execute("INSERT INTO kept VALUES (?)", (item.lease.url,))
            self.add(item.found)
        return done

    def is_done(self) -> bool:
        return self.connection.execute("SELECT count(*) FROM queue").fetchone() == (0,)

    def kept(self) -> set[str]:
        return {url for (url,) in self.connection.execute("SELECT url FROM kept")}


def crawl(frontier, log: int, pages: int, locks: str) -> None:
    while not frontier.is_done():
        leases = frontier.claim(str(os.getpid()), BATCH)
        if not leases:
            time.sleep(0.02)
        done = []
        for lease in leases:
            lock = Path(locks, lease.url.rpartition("/")[2]) if locks else None
            if lock is not None:
                # Fails when another worker holds the same URL at this moment.
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            time.sleep(PAGE_S)
            done.append(Settled(lease, Outcome.STORED, f"{os.getpid()}:0:1", "", links_of(lease.url, pages)))
        for item in done:
            if locks:
                Path(locks, item.lease.url.rpartition("/")[2]).unlink()
        for item in frontier.settle(done):
            os.write(log, f"{item.lease.url}\n".encode())


def send(clock, log: int, delay_s: float, sends: int) -> None:
    for _ in range(sends):
        while (wait_s := clock.grant("one.test", delay_s)) > 0:
            time.sleep(wait_s)
        # Granted workers send late: the delay counts from here.
        time.sleep(delay_s * (os.getpid() % 3) / 6)
        left_at = time.time()
        clock.sent("one.test", delay_s)
        os.write(log, f"{left_at}\n".encode())


def main() -> None:
    what, where, log_path, first, second, locks = sys.argv[1:]
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    if what == "popfirst":
        crawl(PopFirst(Path(where)), log, int(first), "")
        return
    lease_s = float(second) if what == "crawl" else 60.0
    frontier, clock = open_frontier(where, crawl=Path(log_path).stem, lease_s=lease_s)
    if what == "crawl":
        crawl(frontier, log, int(first), locks)
    else:
        send(clock, log, float(first), int(second))


if __name__ == "__main__":
    main()
