"""Opens the frontier of a crawl: a path is one machine's (SQLite), `redis://…` many machines'.

One place comes in, a frontier and the host clock that goes with it go out: a
file that several crawls of one machine may share, and on a Redis one for all of
its crawls as well. A process opens its own, after a fork and never before.
"""

from __future__ import annotations

from pathlib import Path

from psyllm.collect.frontier.contract import LEASE_S, Frontier, HostClock

REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def open_frontier(
    where: str,
    *,
    crawl: str = "crawl",
    lease_s: float = LEASE_S,
    must_last: bool = True,
    clock: Path | None = None,
) -> tuple[Frontier, HostClock]:
    """Open (or begin) the frontier at `where`; `crawl` names one of several that share a Redis.

    `clock` is the file of the host clock. If not said, it is one beside the frontier; on a Redis its own
    clock alone then counts, and crawls of this machine without that Redis are not known to it.

    `must_last=False` takes a Redis that keeps nothing on disk: for tests, and
    for a crawl that may be begun anew.

    Raises:
        FrontierLost: the store does not answer.
        UnusablePath: the file can't be made or opened.
        MalformedInput: the file is no frontier.
        BadSetting: the Redis address is no address, or that Redis would lose or evict URLs.
    """
    if where.startswith(REDIS_SCHEMES):
        from psyllm.collect.frontier.redis import open_redis

        return open_redis(where, crawl, lease_s, clock, must_last=must_last)
    from psyllm.collect.frontier.sqlite import open_sqlite

    return open_sqlite(Path(where), lease_s, clock)


def place_of(where: str) -> str:
    """Return where a frontier lies, without the name and password of its address.

    Raises:
        BadSetting: the Redis address is no address.
    """
    if not where.startswith(REDIS_SCHEMES):
        return where
    from psyllm.collect.frontier.redis_server import RedisServer

    server = RedisServer(where, "")
    server.close()
    return f"the Redis at {server.name}"
