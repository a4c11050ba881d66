"""The two stores of a frontier for tests: folders of SQLite files, a Redis of our own, hands that a test moves."""

import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from psyllm.collect.frontier.contract import Frontier, HostClock
from psyllm.collect.frontier.open import open_frontier
from psyllm.collect.frontier.redis import RedisFrontier
from psyllm.collect.frontier.redis_clock import RedisHostClock
from psyllm.collect.frontier.redis_server import RedisServer
from psyllm.collect.frontier.sqlite import SqliteFrontier
from psyllm.collect.frontier.sqlite_clock import SqliteHostClock


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@dataclass
class Store:
    """Where crawls of a test lie; each name is a crawl of its own."""

    kind: str
    place: str

    def where(self, crawl: str) -> str:
        return self.place if self.kind == "redis" else f"{self.place}/{crawl}.db"

    def open(self, crawl: str, lease_s: float = 60.0) -> tuple[Frontier, HostClock]:
        return open_frontier(self.where(crawl), crawl=crawl, lease_s=lease_s)

    def open_at(
        self, now: Callable[[], float], crawl: str | None = None, lease_s: float = 60.0
    ) -> tuple[Frontier, HostClock]:
        """Open a crawl whose time is `now`'s; one of its own unless named."""
        crawl = crawl or uuid.uuid4().hex
        if self.kind == "redis":
            clock = RedisHostClock(RedisServer(self.place, f"{crawl}/clock", now), now)
            return RedisFrontier(RedisServer(self.place, crawl, now), clock, lease_s, now), clock
        path = Path(self.where(crawl))
        file_clock = SqliteHostClock(path.with_name(f"{path.name}-clock"), now)
        return SqliteFrontier(path, file_clock, lease_s, now), file_clock


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class RedisProcess:
    """A redis-server of our own on a free port of this machine."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", *options]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.address)
        deadline = time.monotonic() + 30
        while True:
            try:
                client.ping()
            except redis.exceptions.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                client.close()
                return

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
