"""What all workers share, asked from one worker's loop without stopping it.

The frontier and the host clock answer at once or after a disk or a network; each
question runs on a thread, so that a slow answer delays no download. One thread
asks (claims, grants, verdicts), another writes (pages, then their settlement), and
each has a connection of its own. A store that does not answer is asked again for a
while: every one of these questions may be repeated. Nothing here decides anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from psyllm.collect.crawl.robots import Snapshot
from psyllm.collect.crawl.segments import Segments, StoredPage
from psyllm.collect.frontier.contract import Frontier, HostClock, Lease, Outcome, Settled
from psyllm.collect.frontier.open import open_frontier
from psyllm.core.errors import FrontierLost

P = ParamSpec("P")
R = TypeVar("R")
# A store that was started anew is back within seconds; leases outlast this.
PATIENCE_S = 30.0


class Finished(NamedTuple):
    """A lease that ended, with its page if one was kept."""

    settled: Settled
    page: StoredPage | None = None


class Shared:
    """The frontier and the clock of a crawl, for one worker."""

    def __init__(
        self, where: str, crawl: str, lease_s: float, segments: Segments, clock: Path | None = None
    ) -> None:
        self._place = (where, crawl, lease_s, clock)
        self._segments = segments
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="asking")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="writing")
        self._frontier: Frontier
        self._clock: HostClock
        self._ledger: Frontier
        self._second_clock: HostClock

    async def open(self) -> None:
        """Open both connections.

        Raises:
            FrontierLost: the store does not answer.
        """
        where, crawl, lease_s, clock = self._place
        self._frontier, self._clock = await self._on(
            self._asking, lambda: open_frontier(where, crawl=crawl, lease_s=lease_s, clock=clock)
        )
        self._ledger, self._second_clock = await self._on(
            self._writing, lambda: open_frontier(where, crawl=crawl, lease_s=lease_s, clock=clock)
        )

    async def close(self) -> None:
        """Let go of the store and the segment in use."""
        await self._on(self._writing, self._segments.close)
        await self._on(self._writing, self._ledger.close)
        await self._on(self._writing, self._second_clock.close)
        await self._on(self._asking, self._clock.close)
        await self._on(self._asking, self._frontier.close)
        self._asking.shutdown()
        self._writing.shutdown()

    async def claim(self, worker: str, most: int, limit: int | None) -> list[Lease]:
        """Lease up to `most` URLs, of a crawl that may keep `limit` pages in all."""
        return await self._on(self._asking, self._frontier.claim, worker, most, limit)

    async def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Lengthen leases and return those still ours."""
        return await self._on(self._asking, self._frontier.extend, leases)

    async def give_back(self, leases: Sequence[Lease], not_before: float = 0, *, tried: bool) -> None:
        """End leases without an outcome."""
        await self._on(
            self._asking, lambda: self._frontier.give_back(leases, not_before=not_before, tried=tried)
        )

    async def grant(self, host: str, delay_s: float) -> tuple[float, str]:
        """Return the seconds to wait before sending (0 is now) and why the host was left for good, if it was."""
        return await self._on(self._asking, self._grant, host, delay_s)

    async def hold(self, host: str, delay_s: float) -> None:
        """Renew the hold on a host whose answer is still out."""
        await self._on(self._asking, self._clock.hold, host, delay_s)

    async def sent(self, host: str, delay_s: float) -> None:
        """Say that the answer is there, or that none will come."""
        await self._on(self._asking, self._clock.sent, host, delay_s)

    async def pause(self, host: str, until: float) -> None:
        """Rest a host."""
        await self._on(self._asking, self._clock.pause, host, until)

    async def leave(self, host: str, url: str, reason: str) -> None:
        """Record that a host is left for good: reason and time, of the URL a hash only."""
        await self._on(self._asking, self._leave, host, url, reason)

    async def left(self, host: str) -> str:
        """Return why a host was left for good, if it was."""
        return await self._on(self._asking, lambda: left_for(self._frontier, host).get("reason", ""))

    async def kept(self) -> int:
        """Return how many pages are stored."""
        counts = await self._on(self._asking, self._frontier.counts)
        return counts[Outcome.STORED]

    async def is_done(self) -> bool:
        """Return whether nothing waits and nothing is leased."""
        return await self._on(self._asking, self._frontier.is_done)

    async def stopped(self) -> str:
        """Return why the crawl was stopped, if it was."""
        return await self._on(self._asking, self._frontier.stopped)

    async def robots_of(self, origin: str) -> Snapshot | None:
        """Return the newest verdict on an origin."""
        found = await self._on(self._asking, self._frontier.get_robots, origin)
        return None if found is None else Snapshot(*found[1:])

    async def keep_robots(self, origin: str, snapshot: Snapshot) -> None:
        """Keep a verdict on an origin."""
        await self._on(self._asking, lambda: self._frontier.put_robots(origin, *snapshot))

    async def settle(self, finished: Sequence[Finished]) -> int:
        """Write the pages, then settle; return how many leases counted as ended by us."""
        return await self._on(self._writing, self._settle, finished)

    def _settle(self, finished: Sequence[Finished]) -> int:
        places = iter(self._segments.append([item.page for item in finished if item.page is not None]))
        done = [
            item.settled if item.page is None else item.settled._replace(where=next(places))
            for item in finished
        ]
        return len(_patiently(self._ledger.settle, done))

    def _grant(self, host: str, delay_s: float) -> tuple[float, str]:
        left = left_for(self._frontier, host)
        return (0.0, left["reason"]) if left else (self._clock.grant(host, delay_s), "")

    def _leave(self, host: str, url: str, reason: str) -> None:
        said = {
            "reason": reason,
            "url_sha256": hashlib.sha256(url.encode()).hexdigest(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if not left_for(self._frontier, host):
            self._frontier.set_meta(_left_key(host), json.dumps(said))

    async def _on(
        self, thread: ThreadPoolExecutor, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(thread, lambda: _patiently(call, *args, **kwargs))


def left_for(frontier: Frontier, host: str) -> dict[str, str]:
    """Return reason, url_sha256 and time of a hard stop on a host; empty when there was none."""
    said = frontier.get_meta(_left_key(host))
    return {} if said is None else dict(json.loads(said))


def _left_key(host: str) -> str:
    return f"left:{host}"


def _patiently(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return the answer of a store, asked again while it does not answer, up to `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return call(*args, **kwargs)
        except FrontierLost:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
