"""The frontier of many machines, on a Redis that keeps what it was told.

See `contract` for what it promises and `redis_server` for what durability needs.
Every change is one run of `redis_urls.lua`. Time is the Redis server's: a
lease's `until` is told in the caller's own clock, counted from before the call,
so that it never ends later than the server thinks. A `settle` whose answer got
lost on the way is repeated by the client and answered as the first time.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from psyllm.collect.frontier.contract import (
    LEASE_S,
    Ask,
    Done,
    HostClock,
    Lease,
    Outcome,
    RobotsSnapshot,
    Settled,
    host_of,
)
from psyllm.collect.frontier.redis_clock import CLOCK, RedisHostClock
from psyllm.collect.frontier.redis_server import RedisServer
from psyllm.collect.frontier.sqlite_clock import SqliteHostClock
from psyllm.collect.frontier.two_clocks import TwoHostClocks

ROWS_AT_ONCE = 1000


class RedisFrontier:
    """A `Frontier` on Redis; hosts that `clock` has on pause are not claimed."""

    def __init__(
        self,
        server: RedisServer,
        clock: RedisHostClock,
        lease_s: float = LEASE_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._clock = clock
        self._script = server.script("redis_urls")
        self._lease_s = lease_s
        self._now = now

    def add(self, asks: Sequence[Ask]) -> int:
        """Take in URLs and return how many were new."""
        (new,) = self._run("add", {"asks": _plain_asks(asks)})
        return int(new)

    def claim(self, worker: str, most: int, limit: int | None = None) -> list[Lease]:
        """Lease up to `most` URLs, within the limit: round-robin over hosts, oldest first within one."""
        until = self._now() + self._lease_s
        told = {"most": most, "lease_s": self._lease_s, "worker": worker, "paused": [*self._clock.paused()]}
        rows = self._run("claim", told if limit is None else {**told, "limit": limit})
        return [Lease(url, kind, depth, token, attempt, until) for url, kind, depth, token, attempt in rows]

    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Lengthen leases and return those still ours."""
        until = self._now() + self._lease_s
        places = self._run("extend", {"leases": _plain_leases(leases), "lease_s": self._lease_s})
        return [leases[place - 1]._replace(until=until) for place in places]

    def settle(self, done: Sequence[Settled]) -> list[Settled]:
        """End leases and add what was found, all or nothing; return those that counted."""
        rows = [
            {
                "url": item.lease.url,
                "token": item.lease.token,
                "outcome": str(item.outcome),
                "where": item.where,
                "detail": item.detail,
                "found": _plain_asks(item.found),
            }
            for item in done
        ]
        places = self._run("settle", {"done": rows, "nonce": uuid.uuid4().hex})
        return [done[place - 1] for place in places]

    def give_back(self, leases: Sequence[Lease], *, not_before: float = 0, tried: bool = True) -> None:
        """End leases without an outcome: their URLs wait again."""
        wait_s = max(0.0, not_before - self._now())
        rows = _plain_leases(leases)
        self._run("give_back", {"leases": rows, "wait_s": wait_s, "untried": 0 if tried else 1})

    def settled(self, outcome: Outcome) -> Iterator[Done]:
        """Yield every URL of this outcome, ordered by URL."""
        after = b"-"
        while True:
            rows = self._server.rows("ZRANGEBYLEX", f"done:{outcome}", after, "+", "LIMIT", 0, ROWS_AT_ONCE)
            for row in rows:
                yield Done(*row.decode().split("\0"))
            if len(rows) < ROWS_AT_ONCE:
                return
            after = b"(" + rows[-1]

    def stored(self) -> Iterator[tuple[str, str, str]]:
        """Yield (url, kind, where) of every stored page, ordered by URL."""
        return (done[:3] for done in self.settled(Outcome.STORED))

    def counts(self) -> dict[str, int]:
        """Return how many URLs are waiting, leased and of each outcome."""
        held = {name: int(n) for name, n in self._server.table("tally").items()}
        ended = {str(outcome): held.get(outcome, 0) for outcome in Outcome}
        waiting = held.get("waiting", 0) + held.get("later", 0)
        return {"waiting": waiting, "leased": held.get("leased", 0), **ended}

    def is_done(self) -> bool:
        """Return whether nothing waits and nothing is leased."""
        counts = self.counts()
        return counts["waiting"] + counts["leased"] == 0

    def put_robots(
        self, host: str, body: bytes, status: int, verdict: str, fetched_at: str, sha256: str
    ) -> None:
        """Keep a snapshot of a host's robots.txt."""
        told = [host, base64.b64encode(body).decode(), status, verdict, fetched_at, sha256]
        self._server.one("SADD", "robots", host)
        self._server.one("RPUSH", f"robots:{host}", orjson.dumps(told))

    def get_robots(self, host: str) -> RobotsSnapshot | None:
        """Return the host's newest snapshot, if there is one."""
        row = self._server.one("LINDEX", f"robots:{host}", -1)
        return None if row is None else _snapshot(row)

    def robots(self) -> Iterator[RobotsSnapshot]:
        """Yield all snapshots ever kept, by host and time."""
        for host in sorted(name.decode() for name in self._server.rows("SMEMBERS", "robots")):
            for row in self._server.rows("LRANGE", f"robots:{host}", 0, -1):
                yield _snapshot(row)

    def stop(self, reason: str) -> None:
        """Throw the kill switch for all workers; an empty reason takes it back."""
        self._server.one("HSET", "words", "stop", reason)

    def stopped(self) -> str:
        """Return why the crawl was stopped, or "" while it may run."""
        return self._word("stop") or ""

    def set_meta(self, key: str, value: str) -> None:
        """Keep a word about the crawl."""
        self._server.one("HSET", "words", f"meta:{key}", value)

    def get_meta(self, key: str) -> str | None:
        """Return what was kept under `key`, if anything."""
        return self._word(f"meta:{key}")

    def close(self) -> None:
        """Let go of the connection; leases run out by themselves."""
        self._server.close()

    def _run(self, operation: str, told: dict[str, Any]) -> list[Any]:
        (reply,) = self._script(operation, orjson.dumps(told))
        return list(orjson.loads(reply))

    def _word(self, name: str) -> str | None:
        value = self._server.one("HGET", "words", name)
        return None if value is None else str(value, "utf-8")


def open_redis(
    address: str,
    crawl: str,
    lease_s: float = LEASE_S,
    clock_file: Path | None = None,
    *,
    must_last: bool = True,
) -> tuple[RedisFrontier, HostClock]:
    """Open the frontier of `crawl` on the Redis at `address`, and the clock of all crawls there.

    With a `clock_file`, the crawls of this machine that share it are waited for, too.

    Raises:
        FrontierLost: the server does not answer.
        BadSetting: the address is none, or that Redis would lose or evict URLs.
        UnusablePath: the clock's file can't be made or opened.
        MalformedInput: it is no clock.
    """
    server = RedisServer(address, crawl)
    server.require_lasting(must_last=must_last)
    clock = RedisHostClock(RedisServer(address, CLOCK))
    both = clock if clock_file is None else TwoHostClocks(clock, SqliteHostClock(clock_file))
    return RedisFrontier(server, clock, lease_s), both


def _plain_asks(asks: Sequence[Ask]) -> list[dict[str, Any]]:
    return [{"url": ask.url, "kind": ask.kind, "depth": ask.depth, "host": host_of(ask.url)} for ask in asks]


def _plain_leases(leases: Sequence[Lease]) -> list[dict[str, Any]]:
    return [{"url": lease.url, "token": lease.token} for lease in leases]


def _snapshot(row: bytes) -> RobotsSnapshot:
    host, body, *rest = orjson.loads(row)
    return RobotsSnapshot(host, base64.b64decode(body), *rest)
