"""The host clock of many machines, on Redis; all of its crawls share it.

Grants and sends of all workers come in, waiting times go out. Time is the Redis
server's, since the workers' clocks differ; what a caller gives as a point in
time is carried over as seconds from now.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from psyllm.collect.frontier.contract import HOLD_S
from psyllm.collect.frontier.redis_server import RedisServer

# A name that no source can have.
CLOCK = "/clock"
# A host without a delay is asked for thousands of times a second; its pauses are looked up this often.
PAUSES_SEEN_S = 0.5


class RedisHostClock:
    """A `HostClock` for workers on many machines; a pause by another worker is seen within half a second."""

    def __init__(self, server: RedisServer, now: Callable[[], float] = time.time) -> None:
        self._server = server
        self._run = server.script("redis_clock")
        self._now = now
        self._grants: dict[str, str] = {}
        self._paused: dict[str, float] = {}
        self._looked_at = float("-inf")

    def grant(self, host: str, delay_s: float) -> float:
        """Return 0.0 for "send now", else the seconds to wait before asking again."""
        if delay_s <= 0:
            return self._pause_s(host)
        wait_s, number = self._run("grant", host, delay_s, 0, HOLD_S)
        if float(wait_s) == 0:
            self._grants[host] = number.decode()
        return float(wait_s)

    def hold(self, host: str, delay_s: float) -> None:
        """Hold the host for another `HOLD_S`, while an answer is out; a hold that was lost stays lost."""
        granted = self._grants.get(host, "")
        if granted:
            self._run("hold", host, delay_s, granted, HOLD_S)

    def sent(self, host: str, delay_s: float) -> None:
        """End the hold: nobody is granted this host before `delay_s` has passed."""
        granted = self._grants.pop(host, "")
        if granted or delay_s > 0:
            self._run("sent", host, max(0.0, delay_s), granted)

    def pause(self, host: str, until: float) -> None:
        """Rest a host until `until`; a shorter pause than the present one changes nothing."""
        self._run("pause", host, max(0.0, until - self._now()))
        self._looked_at = float("-inf")

    def paused(self) -> set[str]:
        """Return the hosts on pause now."""
        return {host.decode() for host in self._run("paused", "", 0)}

    def close(self) -> None:
        """Let go of the connection."""
        self._server.close()

    def _pause_s(self, host: str) -> float:
        now = self._now()
        if not 0 <= now - self._looked_at < PAUSES_SEEN_S:
            ahead_s = self._server.time() - now
            rows = self._server.table("paused")
            self._paused = {name: float(until) - ahead_s for name, until in rows.items()}
            self._looked_at = now
        return max(0.0, self._paused.get(host, 0.0) - now)
