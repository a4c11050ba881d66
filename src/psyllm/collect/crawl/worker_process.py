"""One worker as a process: Scrapy's engine with a `Worker` in it.

A plan that can be pickled comes in; the worker runs until it is over, and a
message goes back through a pipe: why it ended, or the error. Scrapy is given no
spider's requests to schedule: its scheduler, its retries and its robots.txt stay
unused, only its downloader works. Ctrl-C and SIGTERM are a stop: what is under
way ends, what was fetched is kept.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import traceback
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerProcess

from psyllm.collect.crawl.downloading import Downloader, hush, identity, scrapy_settings
from psyllm.collect.crawl.finding import Finder, Reader
from psyllm.collect.crawl.permission import Permission
from psyllm.collect.crawl.segments import Segments
from psyllm.collect.crawl.shared import Shared
from psyllm.collect.crawl.watched import Watched
from psyllm.collect.crawl.worker import FAILED, STOPPED, Limits, Worker
from psyllm.core.errors import PsyError


class WorkerPlan(NamedTuple):
    """All that a worker's process needs to know."""

    permission: Permission
    frontier: str
    clock: Path
    crawl: str
    segments: Path
    lease_s: float
    timeout_s: float
    most_page_bytes: int
    limits: Limits
    data: Path


class Ended(NamedTuple):
    """Why a worker ended; `error` is the kind, message and next step of what it raised."""

    reason: str
    error: tuple[type[PsyError], str, str] | None = None


def work(plan: WorkerPlan, report: Connection) -> None:
    """Run one worker to its end in this process, and report."""
    process = AsyncCrawlerProcess(scrapy_settings(plan.most_page_bytes))
    hush()  # not earlier: the line above sets the level of Scrapy's logs
    outcome: list[Ended] = []
    process.crawl(Fetching, plan=plan, outcome=outcome)
    process.start(install_signal_handlers=False)
    report.send(outcome[0] if outcome else Ended(FAILED))
    report.close()


def kind_and_place(error: Exception) -> str:
    """Return what broke and where in the code; never an exception's own text, which may hold a page's words."""
    frames = traceback.extract_tb(error.__traceback__)
    places = (f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {' < '.join(places)}"


class Fetching(Spider):
    """Holds the engine open while the worker runs."""

    name = "psyllm"

    def __init__(self, plan: WorkerPlan, outcome: list[Ended]) -> None:
        super().__init__()
        self._plan = plan
        self._outcome = outcome

    async def start(self) -> AsyncIterator[Request]:
        """Run the worker; the engine itself is given nothing to ask for."""
        for request in await self._requests():
            yield request

    async def _requests(self) -> tuple[Request, ...]:
        try:
            self._outcome.append(Ended(await self._run()))
        except PsyError as error:
            self._outcome.append(Ended(FAILED, (type(error), error.message, error.next_step)))
        except Exception as error:
            # Scrapy would write it into the log that we keep silent.
            sys.stderr.write(f"a worker of the crawl broke: {kind_and_place(error)}\n")
            raise
        return ()

    async def _run(self) -> str:
        plan = self._plan
        segments = Segments(plan.segments, plan.limits.name)
        shared = Shared(plan.frontier, plan.crawl, plan.lease_s, segments, plan.clock)
        reader = Reader(plan.permission)
        await shared.open()
        try:
            downloader = Downloader(self.crawler.engine, identity(plan.permission), plan.timeout_s)
            finder = Finder(reader, plan.permission.covers, plan.limits.most_depth)
            forgotten = Watched(plan.data, reader)
            worker = Worker(plan.permission, shared, downloader, finder, plan.limits, is_forgotten=forgotten)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, worker.stop, STOPPED)
            return await worker.run()
        finally:
            reader.close()
            await shared.close()
