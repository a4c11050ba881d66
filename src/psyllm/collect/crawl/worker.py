"""One worker of a crawl: takes leases, passes every gate, fetches, and hands over what came.

Leases come in from the frontier; pages go into the worker's segments and their
URLs are settled by the batch: a page counts once the frontier says so. One request
a host at a time. Redirects, retries and links go through the frontier, never around
it. A stop (the kill switch, a signal, the permission's end) lets nothing new begin.
What may be asked is decided in `gates`, what an answer means in `answers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from psyllm.collect.crawl.answers import Decision, End, Fetched, Keep, Leave, Rest, decide
from psyllm.collect.crawl.finding import Finder
from psyllm.collect.crawl.gates import Gates, Getter, Halted, Passed
from psyllm.collect.crawl.permission import Permission
from psyllm.collect.crawl.segments import StoredPage
from psyllm.collect.crawl.shared import Finished, Shared
from psyllm.collect.frontier.contract import Ask, Lease, Outcome, Settled, host_of
from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.parsing import nests_too_deeply
from psyllm.core.errors import PsyError
from psyllm.core.tombstones import FORGOTTEN

BATCH = 64
# A claim follows when so few URLs are left, or when a host ran dry while fewer than the most are held.
FEW_HELD, MOST_HELD = BATCH // 2, BATCH * 8
MOST_UNWRITTEN_BYTES = 64_000_000
WRITE_EVERY_S = 0.5
LOOK_EVERY_S = 0.5
LEAST_IDLE_S, MOST_IDLE_S = 0.1, 1.0
# How long requests under way may go on after a stop.
LET_FINISH_S = 3.0
STOPPED, EXPIRED, ORPHANED, FINISHED, FAILED = "stopped", "expired", "parent_gone", "finished", "failed"


class Limits(NamedTuple):
    """What one worker keeps to, besides the permission; `most_pages` is for all workers together."""

    name: str
    stop_file: Path
    most_pages: int | None
    most_attempts: int
    most_depth: int
    robots_rest_s: float
    heartbeat_s: float


class Worker:
    """Runs until the frontier is done, or something says stop."""

    def __init__(
        self,
        permission: Permission,
        shared: Shared,
        getter: Getter,
        finder: Finder,
        limits: Limits,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        is_forgotten: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._permission = permission
        self._shared = shared
        self._finder = finder
        self._limits = limits
        self._now = now
        self._halt = asyncio.Event()
        self._is_forgotten = is_forgotten
        self._gates = Gates(permission, shared, getter, limits.robots_rest_s, self._halt, now, is_forgotten)
        self._lines: dict[str, deque[Lease]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._held: dict[str, Lease] = {}
        self._finished: list[Finished] = []
        self._unwritten_bytes = 0
        self._full = asyncio.Event()
        self._moved = asyncio.Event()
        self._writing = asyncio.Lock()
        self._judging = asyncio.Lock()
        self._ran_dry = True
        self._parent = os.getppid()
        self.stopped = ""

    def stop(self, reason: str) -> None:
        """Begin nothing new; what is under way may finish within seconds."""
        self.stopped = self.stopped or reason
        self._halt.set()
        self._moved.set()

    async def run(self) -> str:
        """Crawl until nothing is left or a stop comes; return why it ended.

        Raises:
            FrontierLost: the store stopped answering.
            DiskFull: no space is left for pages.
            MalformedInput: the list of what was forgotten is broken.
            UnusablePath: the system refuses to write pages.
        """
        tasks = [
            asyncio.create_task(self._turn()),
            asyncio.create_task(self._every(self._limits.heartbeat_s, self._extend)),
            asyncio.create_task(self._every(LOOK_EVERY_S, self._look)),
            asyncio.create_task(self._write_along()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except BaseException:
            # What can't be written is another's to fetch; a store that is gone lets leases run out by itself.
            self._finished.clear()
            await self._end(tasks)
            with contextlib.suppress(PsyError):
                await self._give_back()
            raise
        await self._end(tasks)
        await self._write()
        await self._give_back()
        return self.stopped

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        self.stop(STOPPED)
        await self._end_requests()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _give_back(self) -> None:
        await self._shared.give_back(list(self._held.values()), tried=False)

    async def _turn(self) -> None:
        """Claim, and keep one task a host at work, until it is over."""
        idle_s = LEAST_IDLE_S
        while not self.stopped:
            self._moved.clear()
            claimed = await self._claim()
            if not claimed and not self._held and await self._is_over():
                self.stop(FINISHED)
                return
            idle_s = LEAST_IDLE_S if self._held else min(idle_s * 1.5, MOST_IDLE_S)
            self._set_to_work()
            await _until(self._moved, idle_s)

    def _set_to_work(self) -> None:
        for host, task in list(self._running.items()):
            if task.done():
                del self._running[host]
                task.result()
        for host, line in self._lines.items():
            if line and host not in self._running:
                self._running[host] = asyncio.create_task(self._work_off(host, line))

    async def _claim(self) -> bool:
        wants = len(self._held) < FEW_HELD or (self._ran_dry and len(self._held) < MOST_HELD)
        if not wants:
            return False
        self._ran_dry = False
        leases = await self._shared.claim(self._limits.name, BATCH, self._limits.most_pages)
        for lease in leases:
            self._held[lease.url] = lease
            self._lines.setdefault(host_of(lease.url), deque()).append(lease)
        return bool(leases)

    async def _is_over(self) -> bool:
        most = self._limits.most_pages
        if most is not None and await self._shared.kept() >= most:
            return True
        return await self._shared.is_done()

    async def _work_off(self, host: str, line: deque[Lease]) -> None:
        """Ask for one URL of a host after the other."""
        while line and not self._halt.is_set():
            lease = line.popleft()
            held = self._held.get(lease.url)
            if held is None or held.token != lease.token:
                continue  # lost to another worker meanwhile
            try:
                passed = await self._gates.ask(lease)
            except Halted:
                break
            await self._conclude(host, lease, passed)
            if self._unwritten_bytes > MOST_UNWRITTEN_BYTES:
                await self._write()
        self._ran_dry = True
        self._moved.set()
        if not any(self._lines.values()):
            self._full.set()  # what was found waits for the settlement

    async def _conclude(self, host: str, lease: Lease, passed: Passed | End | Rest) -> None:
        page, decision = self._decided(lease, passed)
        wall = "" if page is None else await self._wall(page)
        if wall:
            decision = Leave(wall)
        if isinstance(decision, Leave):
            await self._shared.leave(host, lease.url, decision.reason)
            decision = End(Outcome.STOPPED, decision.reason)
        if isinstance(decision, Rest):
            await self._rest(host, lease, decision)
        elif isinstance(decision, End):
            ended = self._not_too_deep(decision)
            self._finish(Finished(Settled(lease, ended.outcome, "", ended.detail, ended.found)))
        elif page is not None:
            found, detail = self._found(_as_page(page), lease.depth)
            self._finish(Finished(Settled(lease, Outcome.STORED, "", detail, found), page))

    def _found(self, page: Page, depth: int) -> tuple[tuple[Ask, ...], str]:
        """Return what a page leads to, and why its links were not read; the page is kept all the same."""
        if nests_too_deeply(page.body):
            return (), "nests_too_deeply"
        with contextlib.suppress(Exception):  # whatever a page does to its reader, the crawl goes on
            return self._finder.found(page, depth), ""
        return (), "links_unreadable"

    async def _wall(self, page: StoredPage) -> str:
        """Return the wall that a page is; reading an unknown page takes long, and leases must be extended meanwhile."""
        with contextlib.suppress(Exception):  # whatever a page does to its reader, the crawl goes on
            async with self._judging:
                return await asyncio.to_thread(self._finder.wall, _as_page(page))
        return ""

    def _not_too_deep(self, end: End) -> End:
        """Return the end of a URL, without a redirect that leads deeper than allowed: some never end."""
        if all(ask.depth <= self._limits.most_depth for ask in end.found):
            return end
        return End(Outcome.NOTHING, "redirect_too_deep")

    def _decided(self, lease: Lease, passed: Passed | End | Rest) -> tuple[StoredPage | None, Decision]:
        if not isinstance(passed, Passed):
            return None, passed
        got = passed.got
        decision: Decision = End(Outcome.NOTHING, "answer_unreadable")
        with contextlib.suppress(Exception):  # whatever an answer does to its reader, the crawl goes on
            decision = decide(got, lease, self._now(), self._gates.covers, self._limits.most_attempts)
        if not isinstance(decision, Keep) or not isinstance(got, Fetched):
            return None, decision
        fetched_at = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        page = StoredPage(
            lease.url,
            got.status,
            decision.content_type,
            got.body,
            fetched_at,
            self._permission.id,
            passed.robots_hash,
        )
        return page, decision

    def _finish(self, finished: Finished) -> None:
        self._finished.append(finished)
        self._unwritten_bytes += 0 if finished.page is None else len(finished.page.body)
        if len(self._finished) >= BATCH:
            self._full.set()

    async def _rest(self, host: str, lease: Lease, rest: Rest) -> None:
        """Give a URL back for later; with it all of a host that rests."""
        until = time.time() + rest.seconds
        self._held.pop(lease.url, None)
        if rest.whole_host:
            await self._shared.pause(host, until)
            line = self._lines.pop(host, deque())
            others = [other for other in line if self._held.pop(other.url, None) is not None]
            line.clear()
            await self._shared.give_back(others, until, tried=False)
        await self._shared.give_back([lease], until, tried=rest.tried)

    async def _write_along(self) -> None:
        while True:
            await _until(self._full, WRITE_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        """Put what is finished on disk and settle it."""
        async with self._writing:
            while self._finished:
                batch, self._finished = self._finished[:BATCH], self._finished[BATCH:]
                counted = await self._shared.settle([self._unforgotten(item) for item in batch])
                for item in batch:
                    self._held.pop(item.settled.lease.url, None)
                    self._unwritten_bytes -= 0 if item.page is None else len(item.page.body)
                if counted == len(batch):
                    self._finder.acknowledged(ask for item in batch for ask in item.settled.found)
                self._moved.set()
            self._full.clear()

    def _unforgotten(self, item: Finished) -> Finished:
        """Return what may be written: a page that was forgotten since it was asked for ends without being kept."""
        lease = item.settled.lease
        if item.page is None or not self._is_forgotten(lease.url):
            return item
        return Finished(Settled(lease, Outcome.REFUSED, "", FORGOTTEN, ()))

    async def _extend(self) -> None:
        held = list(self._held.values())
        ours = {(lease.url, lease.token) for lease in await self._shared.extend(held)}
        for lease in held:
            if (lease.url, lease.token) not in ours and self._held.get(lease.url) == lease:
                del self._held[lease.url]

    async def _look(self) -> None:
        """Stop when the kill switch was thrown, the permission ended or nobody waits for us."""
        if self._limits.stop_file.exists() or await self._shared.stopped():
            self.stop(STOPPED)
        elif self._permission.expired(self._now()):
            self.stop(EXPIRED)
        elif os.getppid() != self._parent:
            self.stop(ORPHANED)

    async def _every(self, seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
        while not await _until(self._halt, seconds):
            await chore()

    async def _end_requests(self) -> None:
        """Let requests under way finish for some seconds, then break them off."""
        running = list(self._running.values())
        if running:
            _, pending = await asyncio.wait(running, timeout=LET_FINISH_S)
            for task in pending:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _as_page(page: StoredPage) -> Page:
    return Page(page.url, page.body, page.content_type, page.fetched_at)


async def _until(event: asyncio.Event, seconds: float) -> bool:
    """Return whether the event came within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
