"""What a frontier and a host clock promise, whichever store holds them.

For the crawler: it hands in URLs that should be fetched and takes leases out;
a lease that is not settled in time goes to another worker. Each claim of a URL
gives a higher token, and only the newest token may settle it, so a page counts
as stored exactly once however workers die. The frontier also carries what all
workers of a crawl must share: robots snapshots, the kill switch, a few words of
meta. It fetches nothing, judges nothing and never sees the text of a page.

The rules of waiting: a URL is *waiting*, *leased* or *settled*. A lease that has
expired is waiting again, yet its old token stays the newest until somebody
claims the URL, so a slow worker may still settle or extend it; after the next
claim it may not. Giving a lease back ends it at once.

The clock is no crawl's own: all crawls of a data folder share it, and all of a Redis;
one that is both keeps both. No two requests to a host leave nearer to each other than the delay. A grant holds
the host until `sent` ends it, and `hold` renews it meanwhile; a holder that
says neither is taken to have sent at the last moment it was allowed to
(`HOLD_S` after it last spoke), so even a crash makes no gap too small. A worker
that could not send within `HOLD_S` must ask again instead of sending.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

# A worker sends in the same turn of its loop in which it was granted; the rest of
# these seconds is room for a stalled machine. A crashed holder costs its host so long.
HOLD_S = 5.0

# Four missed heartbeats at one every 15 s, and short enough that a dead worker's
# URLs come back while its crawl still runs.
LEASE_S = 60.0


class Ask(NamedTuple):
    """A URL that should be fetched; it is canonical already, equal strings are one URL."""

    url: str
    kind: str = "page"
    depth: int = 0


class Lease(NamedTuple):
    """A URL that one worker may fetch until `until` (unix seconds); `token` grows with every claim."""

    url: str
    kind: str
    depth: int
    token: int
    attempt: int
    until: float


class Outcome(StrEnum):
    """How a URL ended."""

    STORED = "stored"  # a page was kept
    NOTHING = "nothing"  # fetched, nothing in it
    REFUSED = "refused"  # robots.txt or the permission says no
    STOPPED = "stopped"  # a login, captcha or WAF page
    FAILED = "failed"  # given up after so many attempts


class Settled(NamedTuple):
    """A lease that ended: how, where its page lies, and the URLs found on it.

    `where` is "segment-file:offset:length" of a stored page and "" for all else;
    `detail` is a short reason code, never text of a page.
    """

    lease: Lease
    outcome: Outcome
    where: str = ""
    detail: str = ""
    found: tuple[Ask, ...] = ()


class Done(NamedTuple):
    """A settled URL as the frontier remembers it."""

    url: str
    kind: str
    where: str
    detail: str


class RobotsSnapshot(NamedTuple):
    """What a host's robots.txt said once: bytes, HTTP status, our verdict, the time (ISO 8601) and hash."""

    host: str
    body: bytes
    status: int
    verdict: str
    fetched_at: str
    sha256: str


class Frontier(Protocol):
    """The URLs of one crawl; every method is one transaction, safe for many processes and threads.

    Any method may raise `FrontierLost` when the store does not answer. What was
    acknowledged before stays; whether this call took place is then unknown. Any
    call may be repeated: a `settle` that did take place is then not returned
    again, and its pages stand in `stored()` with the `where` it told.
    """

    def add(self, asks: Sequence[Ask]) -> int:
        """Take in URLs and return how many were new; the first kind and depth of a URL stay."""

    def claim(self, worker: str, most: int, limit: int | None = None) -> list[Lease]:
        """Lease up to `most` URLs: round-robin over hosts, oldest first within one; paused hosts are skipped.

        With a `limit`, what is stored and what is leased never come to more than it, however
        many workers claim at once. A lease that ran out is no longer counted, so a worker that
        settles it after all may add its page to a full crawl.
        """

    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Lengthen leases (the heartbeat) and return those still ours, with the new `until`."""

    def settle(self, done: Sequence[Settled]) -> list[Settled]:
        """End leases and add what was found, all or nothing and on disk; return those that counted.

        A lease whose token is not the newest, or that has ended already, is left
        out together with its found URLs.
        """

    def give_back(self, leases: Sequence[Lease], *, not_before: float = 0, tried: bool = True) -> None:
        """End leases without an outcome: their URLs wait again, until `not_before` (unix seconds).

        An attempt that was `tried` counts; a URL that was only held (a worker
        that shuts down, a host on pause) is given back with `tried=False`.
        """

    def settled(self, outcome: Outcome) -> Iterator[Done]:
        """Yield every URL of this outcome, ordered by URL."""

    def stored(self) -> Iterator[tuple[str, str, str]]:
        """Yield (url, kind, where) of every stored page, ordered by URL."""

    def counts(self) -> dict[str, int]:
        """Return how many URLs are `waiting`, `leased` and of each outcome."""

    def is_done(self) -> bool:
        """Return whether nothing waits and nothing is leased."""

    def put_robots(
        self, host: str, body: bytes, status: int, verdict: str, fetched_at: str, sha256: str
    ) -> None:
        """Keep a snapshot of a host's robots.txt; `host` may be any key, for example an origin."""

    def get_robots(self, host: str) -> RobotsSnapshot | None:
        """Return the host's newest snapshot (the last one put), if there is one."""

    def robots(self) -> Iterator[RobotsSnapshot]:
        """Yield all snapshots ever kept, by host and time, so that a record's hash can be looked up."""

    def stop(self, reason: str) -> None:
        """Throw the kill switch for all workers; an empty reason takes it back."""

    def stopped(self) -> str:
        """Return why the crawl was stopped, or "" while it may run."""

    def set_meta(self, key: str, value: str) -> None:
        """Keep a word about the crawl, for example its permission's id."""

    def get_meta(self, key: str) -> str | None:
        """Return what was kept under `key`, if anything."""

    def close(self) -> None:
        """Let go of the store; leases run out by themselves."""


class HostClock(Protocol):
    """One clock per host, shared by the workers of all crawls; a host is named as `host_of` names it."""

    def grant(self, host: str, delay_s: float) -> float:
        """Return 0.0 for "send now", else the seconds to wait before asking again.

        With 0.0 and a `delay_s` above 0 the host is held until `sent`, at most
        `HOLD_S` unless `hold` renews it. Without a delay nothing is held and only a pause can say wait.
        """

    def hold(self, host: str, delay_s: float) -> None:
        """Hold the host for another `HOLD_S`, while an answer is out; a hold that was lost stays lost."""

    def sent(self, host: str, delay_s: float) -> None:
        """End the hold: nobody is granted this host before `delay_s` has passed.

        Called before the bytes leave, it would let the gap shrink by what lies between; called
        after the answer, it lets one request at a time go out to a host.
        """

    def pause(self, host: str, until: float) -> None:
        """Rest a host until `until` (unix seconds; 429, 503, Retry-After); a shorter pause than the present one changes nothing."""

    def close(self) -> None:
        """Let go of the store."""


def host_of(url: str) -> str:
    """Return the host and port of a URL in lower case, without a name, password or default port."""
    scheme, _, rest = url.partition("://")
    for end in "/?#":
        rest = rest.partition(end)[0]
    host = rest.rpartition("@")[2].lower()
    default = ":443" if scheme.lower() == "https" else ":80"
    return host.removesuffix(default)
