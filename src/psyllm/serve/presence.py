"""Who is at the desk, and who guesses passwords: two small memories of this process.

Neither outlives the server. The crisis path is never throttled.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

Seconds = Callable[[], float]
MOST_FAILURES = 10
FAILURE_WINDOW_S = 600.0
MOST_NAMES = 10_000  # so that guessed names can't fill the memory


class Presence:
    """A counsellor is present for `for_s` seconds after the last request."""

    def __init__(self, for_s: float, clock: Seconds = time.monotonic) -> None:
        self._for_s = for_s
        self._clock = clock
        self._seen: dict[str, float] = {}

    def see(self, staff_id: str) -> None:
        """Note a request of this person."""
        self._seen[staff_id] = self._clock()

    def leave(self, staff_id: str) -> None:
        """Forget somebody who signed out."""
        self._seen.pop(staff_id, None)

    def anybody(self) -> bool:
        """Return whether somebody is there."""
        now = self._clock()
        return any(now - seen <= self._for_s for seen in self._seen.values())


class Throttle:
    """Counts failures by name: ten in ten minutes are enough."""

    def __init__(self, clock: Seconds = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}

    def allows(self, name: str) -> bool:
        """Return whether this name may be tried."""
        return len(self._recent(name)) < MOST_FAILURES

    def note(self, name: str) -> None:
        """Count a try as failed until `clear` says otherwise."""
        recent = self._recent(name)
        recent.append(self._clock())
        self._failures.pop(name, None)
        self._failures[name] = recent
        if len(self._failures) > MOST_NAMES:
            self._failures.pop(next(iter(self._failures)))

    def clear(self, name: str) -> None:
        """Forget the failures of a name that signed in."""
        self._failures.pop(name, None)

    def _recent(self, name: str) -> deque[float]:
        failures = self._failures.get(name, deque())
        while failures and self._clock() - failures[0] > FAILURE_WINDOW_S:
            failures.popleft()
        return failures
