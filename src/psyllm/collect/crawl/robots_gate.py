"""Lets a request through only after its origin's robots.txt said so.

All who wait for one origin wait for one fetch. A verdict is shared with the
other workers through the frontier, used for at most 24 hours, and kept with its
time and hash. A site that could not answer rests and is asked again; after
`MOST_TRIES` such answers it means no. Nothing here knows how a fetch is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

from psyllm.collect.crawl.robots import Answer, Snapshot, Verdict, verdict_of

MOST_TRIES = 3


class Shelf(Protocol):
    """Where verdicts are kept for all workers."""

    async def robots_of(self, origin: str) -> Snapshot | None:
        """Return the newest verdict on an origin."""

    async def keep_robots(self, origin: str, snapshot: Snapshot) -> None:
        """Keep a verdict on an origin."""


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class RobotsGate:
    """One verdict an origin, fetched once however many wait for it."""

    def __init__(
        self,
        shelf: Shelf,
        fetch: Callable[[str], Awaitable[Answer]],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._shelf = shelf
        self._fetch = fetch
        self._now = now
        self._known: dict[str, Verdict] = {}
        self._asking: dict[str, asyncio.Task[Verdict]] = {}
        self._failed: dict[str, int] = {}

    async def verdict(self, origin: str) -> Verdict:
        """Return what an origin allows; waits for its robots.txt where nothing fresh is known."""
        known = self._known.get(origin)
        settled = known is not None and (not known.is_passing or self.is_out_of_tries(origin))
        if known is not None and settled and known.is_fresh(self._now()):
            return known
        asking = self._asking.get(origin)
        if asking is None:
            asking = asyncio.create_task(self._ask(origin))
            self._asking[origin] = asking
            asking.add_done_callback(lambda _: self._asking.pop(origin, None))
        # Whoever waits may be cancelled; the others still wait for the same answer.
        return await asyncio.shield(asking)

    def is_out_of_tries(self, origin: str) -> bool:
        """Return whether an origin that could not answer was asked often enough."""
        return self._failed.get(origin, 0) >= MOST_TRIES

    async def _ask(self, origin: str) -> Verdict:
        snapshot = await self._shelf.robots_of(origin)
        shared = Verdict(snapshot) if snapshot is not None else None
        if shared is None or shared.is_passing or not shared.is_fresh(self._now()):
            answer = await self._fetch(f"{origin}/robots.txt")
            shared = verdict_of(answer, self._now())
            await self._shelf.keep_robots(origin, shared.snapshot)
        self._failed[origin] = self._failed.get(origin, 0) + 1 if shared.is_passing else 0
        self._known[origin] = shared
        return shared
