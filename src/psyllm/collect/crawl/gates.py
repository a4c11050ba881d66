"""Every gate a request passes: permission, forgotten or not, host left or not, robots.txt, the host's clock.

A leased URL comes in; what the site answered goes out, or why it was not asked.
The fetches of robots.txt pass the same clock as all others. The clock holds a host
from the grant to the answer, however late that comes, so that all workers together ask one thing of a host
at a time and rest for the delay after its answer. Nothing here keeps a page.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from psyllm.collect.crawl.addresses import joined, origin_of
from psyllm.collect.crawl.answers import End, Fault, Fetched, Rest
from psyllm.collect.crawl.permission import Permission
from psyllm.collect.crawl.robots import MOST_BYTES, MOST_REDIRECTS, Answer, Verdict
from psyllm.collect.crawl.robots_gate import RobotsGate
from psyllm.collect.crawl.shared import Shared
from psyllm.collect.crawl.stops import stop_of_address
from psyllm.collect.frontier.contract import HOLD_S, Lease, Outcome, host_of
from psyllm.core.errors import PsyError
from psyllm.core.tombstones import FORGOTTEN

# A grant that came later than this may be over already: ask again instead of sending.
SEND_WITHIN_S = HOLD_S - 1.0
# From here on a site counts as strained, and rests as long as it took to answer.
SLOW_S = 1.0


class Getter(Protocol):
    """What fetches one URL."""

    async def get(self, url: str, most_bytes: int = 0) -> Fetched | Fault:
        """Return what came back."""


class Passed(NamedTuple):
    """What a site answered, and under which robots.txt it was asked."""

    got: Fetched | Fault
    robots_hash: str


class Halted(Exception):
    """The worker was stopped while something waited to be sent."""


class _Resting(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class _Forgotten(Exception):
    """Somebody was forgotten while their page waited to be asked for."""


class _Left(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Gates:
    """The gates of one worker; `halt` set means that nothing more is sent."""

    def __init__(
        self,
        permission: Permission,
        shared: Shared,
        getter: Getter,
        robots_rest_s: float,
        halt: asyncio.Event,
        now: Callable[[], datetime],
        is_forgotten: Callable[[str], bool],
    ) -> None:
        self._is_forgotten = is_forgotten
        self._permission = permission
        self._shared = shared
        self._getter = getter
        self._robots_rest_s = robots_rest_s
        self._halt = halt
        self._now = now
        self._robots = RobotsGate(shared, self._fetch_robots, now)
        self._slow_s: dict[str, float] = {}
        self.covers = lru_cache(maxsize=1 << 16)(permission.covers)

    async def ask(self, lease: Lease) -> Passed | End | Rest:
        """Return what the site answered, or why it was not asked.

        Raises:
            Halted: a stop came first; nothing was sent.
        """
        if not self.covers(lease.url):
            return End(Outcome.REFUSED, "out_of_scope")
        if self._is_forgotten(lease.url):
            return End(Outcome.REFUSED, FORGOTTEN)
        try:
            return await self._ask(lease)
        except _Forgotten:
            return End(Outcome.REFUSED, FORGOTTEN)
        except _Left as left:
            return End(Outcome.STOPPED, left.reason)
        except _Resting as resting:
            return Rest(resting.seconds, "host_rests", whole_host=True, tried=False)

    async def _ask(self, lease: Lease) -> Passed | End | Rest:
        host, origin = host_of(lease.url), origin_of(lease.url)
        left = await self._shared.left(host)
        if left:
            raise _Left(left)
        verdict = await self._robots.verdict(origin)
        if verdict.is_passing and not self._robots.is_out_of_tries(origin):
            return Rest(self._robots_rest_s, "robots_unreachable", whole_host=True, tried=False)
        if not verdict.allows(lease.url):
            return End(Outcome.REFUSED, f"robots_{verdict.word}_{verdict.reason}")
        got = await self._send(lease.url, self._delay_s(host, verdict))
        return Passed(got, verdict.snapshot.sha256)

    def _delay_s(self, host: str, verdict: Verdict) -> float:
        return max(self._permission.delay_s, verdict.delay_s, self._slow_s.get(host, 0.0))

    async def _send(self, url: str, delay_s: float, most_bytes: int = 0) -> Fetched | Fault:
        """Wait for the clock, send, and start the delay when the answer is there."""
        host = host_of(url)
        await self._granted(host, delay_s)
        if self._is_forgotten(url):
            if delay_s > 0:
                await self._shared.sent(host, delay_s)
            raise _Forgotten
        began = time.monotonic()
        async with self._held(host, delay_s):
            got = await self._getter.get(url, most_bytes)
        took_s = time.monotonic() - began
        self._slow_s[host] = took_s if took_s > SLOW_S else 0.0
        if delay_s > 0:
            await self._shared.sent(host, delay_s)
        return got

    @contextlib.asynccontextmanager
    async def _held(self, host: str, delay_s: float) -> AsyncIterator[None]:
        """Keep the host held while the block runs; without a delay nothing is held."""
        renewing = asyncio.ensure_future(self._renew(host, delay_s)) if delay_s > 0 else None
        try:
            yield
        finally:
            if renewing is not None:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self, host: str, delay_s: float) -> None:
        while True:
            await asyncio.sleep(HOLD_S / 3)
            with contextlib.suppress(
                PsyError
            ):  # a store that is gone is told by the worker's other questions
                await self._shared.hold(host, delay_s)

    async def _granted(self, host: str, delay_s: float) -> None:
        while True:
            if self._halt.is_set() or self._permission.expired(self._now()):
                raise Halted
            asked = time.monotonic()
            wait_s, left = await self._shared.grant(host, delay_s)
            if left:
                raise _Left(left)
            if wait_s <= 0:
                if time.monotonic() - asked < SEND_WITHIN_S:
                    return
                continue  # the grant came so late that its hold may be over
            if wait_s > delay_s + HOLD_S:
                raise _Resting(wait_s)
            await self._wait(wait_s)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._halt.wait()
        except TimeoutError:
            return

    async def _fetch_robots(self, url: str) -> Answer:
        """Follow redirects to another robots.txt of the host only, each through the clock."""
        first = url
        for _ in range(MOST_REDIRECTS + 1):
            got = await self._send(url, self._permission.delay_s, MOST_BYTES)
            if isinstance(got, Fault):
                return Answer(200 if got.reason == "too_large" else 0, fault=got.reason)
            if not got.is_whole:
                return Answer(0, fault="cut_off")
            if not 300 <= got.status < 400:
                return _answer(got, is_moved=url != first)
            target = joined(url, got.headers.get("location", ""))
            fault = _fault_of_redirect(url, target)
            if fault:
                return Answer(got.status, fault=fault)
            url = target
        return Answer(302, fault="redirect_loop")


def _fault_of_redirect(url: str, target: str) -> str:
    """Return why a redirect of a robots.txt is not followed, or an empty string."""
    if not target or host_of(target) != host_of(url):
        return "redirect_off_host"
    stop = stop_of_address(target)
    if stop is not None:
        return f"redirect_{stop.reason}"
    return "" if urlsplit(target).path.endswith("/robots.txt") else "redirect_elsewhere"


def _answer(got: Fetched, *, is_moved: bool) -> Answer:
    """Return an answer for robots.txt; nothing where one was said to be is no word that there is none."""
    fault = "redirect_to_nothing" if is_moved and got.status in {404, 410} else ""
    return Answer(got.status, got.body, got.headers.get("content-type", ""), fault)
