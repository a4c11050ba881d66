"""The frontier of one machine: one SQLite file, shared by the crawl's processes.

See `contract` for what it promises. `settle` and `add` are on the disk when they
return (synchronous=FULL); claims are not, since after a power cut no worker
lives that could hold one. A URL is stored once, looked up by a 64-bit digest
and compared as a whole. How many wait and how many ended how is counted along,
so neither a claim nor a glance at the counts grows dearer with the crawl.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from psyllm.collect.frontier.contract import (
    LEASE_S,
    Ask,
    Done,
    Lease,
    Outcome,
    RobotsSnapshot,
    Settled,
)
from psyllm.collect.frontier.sqlite_clock import SqliteHostClock
from psyllm.collect.frontier.sqlite_file import SqliteFile
from psyllm.collect.frontier.sqlite_urls import LATER, LEASED, SCHEMA, STATES, WAITING, UrlChange

APPLICATION_ID = 0x50737946


class SqliteFrontier:
    """A `Frontier` in one file; hosts that `clock` has on pause are not claimed."""

    def __init__(
        self,
        path: Path,
        clock: SqliteHostClock,
        lease_s: float = LEASE_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._file = SqliteFile(path, SCHEMA, APPLICATION_ID)
        self._clock = clock
        self._lease_s = lease_s
        self._now = now
        self._host_ids: dict[str, int] = {}

    def add(self, asks: Sequence[Ask]) -> int:
        """Take in URLs and return how many were new."""
        with self._changing(durable=True) as change:
            return change.take_in(asks)

    def claim(self, worker: str, most: int, limit: int | None = None) -> list[Lease]:
        """Lease up to `most` URLs, within the limit: round-robin over hosts, oldest first within one."""
        paused = self._clock.paused()
        with self._changing(durable=False) as change:
            now = self._now()
            change.release_due(now)
            if limit is not None:
                most = max(0, min(most, limit - change.stored_or_leased()))
            return change.lease(change.hosts_in_turn(most, paused), most, worker, now + self._lease_s)

    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Lengthen leases and return those still ours."""
        with self._changing(durable=False) as change:
            until = self._now() + self._lease_s
            return [lease._replace(until=until) for lease in leases if change.lengthen(lease, until)]

    def settle(self, done: Sequence[Settled]) -> list[Settled]:
        """End leases and add what was found, all or nothing and on disk; return those that counted."""
        with self._changing(durable=True) as change:
            counted = [item for item in done if change.end(item)]
            change.take_in([ask for item in counted for ask in item.found])
            return counted

    def give_back(self, leases: Sequence[Lease], *, not_before: float = 0, tried: bool = True) -> None:
        """End leases without an outcome: their URLs wait again."""
        with self._changing(durable=False) as change:
            later = not_before if not_before > self._now() else None
            for lease in leases:
                change.return_one(lease, later, tried=tried)

    def settled(self, outcome: Outcome) -> Iterator[Done]:
        """Yield every URL of this outcome, ordered by URL."""
        with self._file.scanning() as connection:
            rows = connection.execute(
                "SELECT url, kind, place, detail FROM urls WHERE state = ? ORDER BY url", (STATES[outcome],)
            )
            yield from itertools.starmap(Done, rows)

    def stored(self) -> Iterator[tuple[str, str, str]]:
        """Yield (url, kind, where) of every stored page, ordered by URL."""
        return (done[:3] for done in self.settled(Outcome.STORED))

    def counts(self) -> dict[str, int]:
        """Return how many URLs are waiting, leased and of each outcome."""
        with self._file.reading() as connection:
            held = dict(connection.execute("SELECT name, n FROM tallies").fetchall())
        now = {state: held.get(str(state), 0) for state in (WAITING, LATER, LEASED, *STATES.values())}
        ended = {str(outcome): now[state] for outcome, state in STATES.items()}
        return {"waiting": now[WAITING] + now[LATER], "leased": now[LEASED], **ended}

    def is_done(self) -> bool:
        """Return whether nothing waits and nothing is leased."""
        counts = self.counts()
        return counts["waiting"] + counts["leased"] == 0

    def put_robots(
        self, host: str, body: bytes, status: int, verdict: str, fetched_at: str, sha256: str
    ) -> None:
        """Keep a snapshot of a host's robots.txt."""
        with self._file.writing(durable=True) as connection:
            connection.execute(
                "INSERT INTO robots (host, body, status, verdict, fetched_at, sha256) VALUES (?, ?, ?, ?, ?, ?)",
                (host, body, status, verdict, fetched_at, sha256),
            )

    def get_robots(self, host: str) -> RobotsSnapshot | None:
        """Return the host's newest snapshot, if there is one."""
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT host, body, status, verdict, fetched_at, sha256 FROM robots"
                " WHERE host = ? ORDER BY id DESC LIMIT 1",
                (host,),
            ).fetchone()
        return None if row is None else RobotsSnapshot(*row)

    def robots(self) -> Iterator[RobotsSnapshot]:
        """Yield all snapshots ever kept, by host and time."""
        with self._file.scanning() as connection:
            rows = connection.execute(
                "SELECT host, body, status, verdict, fetched_at, sha256 FROM robots ORDER BY host, id"
            )
            yield from itertools.starmap(RobotsSnapshot, rows)

    def stop(self, reason: str) -> None:
        """Throw the kill switch for all workers; an empty reason takes it back."""
        self._put_word("stop", reason)

    def stopped(self) -> str:
        """Return why the crawl was stopped, or "" while it may run."""
        return self._word("stop") or ""

    def set_meta(self, key: str, value: str) -> None:
        """Keep a word about the crawl."""
        self._put_word(f"meta:{key}", value)

    def get_meta(self, key: str) -> str | None:
        """Return what was kept under `key`, if anything."""
        return self._word(f"meta:{key}")

    def close(self) -> None:
        """Let go of the file; leases run out by themselves."""
        self._file.close()

    @contextmanager
    def _changing(self, *, durable: bool) -> Iterator[UrlChange]:
        try:
            with self._file.writing(durable=durable) as connection:
                change = UrlChange(connection, self._host_ids)
                yield change
                change.write_tallies()
        except BaseException:
            # What was rolled back may have been the birth of a host.
            self._host_ids.clear()
            raise

    def _put_word(self, name: str, value: str) -> None:
        with self._file.writing(durable=True) as connection:
            connection.execute("INSERT OR REPLACE INTO words VALUES (?, ?)", (name, value))

    def _word(self, name: str) -> str | None:
        with self._file.reading() as connection:
            row = connection.execute("SELECT value FROM words WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])


def open_sqlite(
    path: Path, lease_s: float = LEASE_S, clock_file: Path | None = None
) -> tuple[SqliteFrontier, SqliteHostClock]:
    """Open the frontier at `path` and its clock, if not said a file of the same name with `-clock` behind it.

    Raises:
        UnusablePath: a file can't be made or opened.
        MalformedInput: a file is no frontier.
    """
    clock = SqliteHostClock(clock_file or path.with_name(f"{path.name}-clock"))
    return SqliteFrontier(path, clock, lease_s), clock
