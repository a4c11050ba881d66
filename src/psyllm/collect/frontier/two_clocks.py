"""The host clock of a crawl on Redis: the Redis's and the data folder's, which must both agree.

Grants and sends of a worker come in, waiting times go out. A crawl without Redis
keeps the file of the data folder only, so both kinds of crawl of one machine can
ask the same host; here the later of the two answers counts. What one clock
granted and the other refused is given back at once, as nothing was sent. The
file is this machine's and must lie on its own disk: machines know each other by
the Redis alone.
"""

from __future__ import annotations

from psyllm.collect.frontier.redis_clock import RedisHostClock
from psyllm.collect.frontier.sqlite_clock import SqliteHostClock


class TwoHostClocks:
    """A `HostClock` that asks the Redis first, since it says no more often: many machines share it."""

    def __init__(self, everywhere: RedisHostClock, here: SqliteHostClock) -> None:
        self._everywhere = everywhere
        self._here = here

    def grant(self, host: str, delay_s: float) -> float:
        """Return 0.0 for "send now", else the seconds to wait before asking again."""
        wait_s = self._everywhere.grant(host, delay_s)
        if wait_s > 0:
            return wait_s
        wait_s = self._here.grant(host, delay_s)
        if wait_s > 0:
            self._everywhere.sent(host, 0)
        return wait_s

    def hold(self, host: str, delay_s: float) -> None:
        """Hold the host for another `HOLD_S`, while an answer is out; a hold that was lost stays lost."""
        self._here.hold(host, delay_s)
        self._everywhere.hold(host, delay_s)

    def sent(self, host: str, delay_s: float) -> None:
        """End the hold: nobody is granted this host before `delay_s` has passed."""
        self._here.sent(host, delay_s)
        self._everywhere.sent(host, delay_s)

    def pause(self, host: str, until: float) -> None:
        """Rest a host until `until`; a shorter pause than the present one changes nothing."""
        self._here.pause(host, until)
        self._everywhere.pause(host, until)

    def close(self) -> None:
        """Let go of both stores."""
        self._here.close()
        self._everywhere.close()
