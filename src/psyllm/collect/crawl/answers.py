"""From one answer of a site to what becomes of its URL.

An answer comes in with the lease it was fetched for; one of four words goes
out: keep the page, end the URL without one, rest the host, or leave the host for
good. Redirects are not followed but asked for like any other link, so that the
permission, robots.txt and the clock see them too. Nothing here waits or writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from psyllm.collect.crawl.addresses import joined
from psyllm.collect.crawl.stops import Stop, stop_of
from psyllm.collect.frontier.contract import Ask, Lease, Outcome

_GONE = frozenset({404, 410})
# Kinds of pages that hold something to read.
_READABLE = ("text/html", "application/xhtml+xml", "application/json", "text/plain")
_REST_ON_FAULT_S = 2.0


class Fetched(NamedTuple):
    """What came back; header names in lower case, `body` without content encoding."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True


class Fault(NamedTuple):
    """Nothing whole came back; `reason` is a short code."""

    reason: str


class Keep(NamedTuple):
    """Store the page."""

    content_type: str


class End(NamedTuple):
    """The URL is settled without a page."""

    outcome: Outcome
    detail: str
    found: tuple[Ask, ...] = ()


class Rest(NamedTuple):
    """Try the URL again later; the host rests for so long when `whole_host`. `tried` counts an attempt."""

    seconds: float
    detail: str
    whole_host: bool
    tried: bool = True


class Leave(NamedTuple):
    """A hard stop: nothing more is asked of this host."""

    reason: str


Decision = Keep | End | Rest | Leave


def decide(
    got: Fetched | Fault, lease: Lease, now: datetime, covers: Callable[[str], bool], most_attempts: int
) -> Decision:
    """Return what becomes of a URL after an answer or a fault."""
    if isinstance(got, Fault):
        return _again(got.reason, lease, most_attempts)
    stop = stop_of(got.status, got.headers, got.body, now)
    if stop is not None:
        return _stopped(stop, lease, most_attempts)
    if 300 <= got.status < 400:
        return _redirected(got, lease, covers)
    if got.status >= 500:
        return _again(f"http_{got.status}", lease, most_attempts)
    if got.status != 200:
        return End(Outcome.NOTHING, "gone" if got.status in _GONE else f"http_{got.status}")
    return _page(got)


def _stopped(stop: Stop, lease: Lease, most_attempts: int) -> Decision:
    if stop.is_hard:
        return Leave(stop.reason)
    if lease.attempt >= most_attempts:
        return End(Outcome.FAILED, stop.reason)
    return Rest(stop.rest_s, stop.reason, whole_host=True)


def _page(got: Fetched) -> Decision:
    content_type = got.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind not in _READABLE:
        return End(Outcome.NOTHING, "content_type")
    return Keep(content_type) if got.body.strip() else End(Outcome.NOTHING, "empty")


def _redirected(got: Fetched, lease: Lease, covers: Callable[[str], bool]) -> Decision:
    said = got.headers.get("location", "")
    target = joined(got.url, said) if said else ""
    if not target or got.status == 304:
        return End(Outcome.NOTHING, f"http_{got.status}")
    if not covers(target):
        return End(Outcome.REFUSED, "redirect_out_of_scope")
    # One deeper, so that a chain without end meets the limit of depth.
    return End(Outcome.NOTHING, "redirect", (Ask(target, lease.kind, lease.depth + 1),))


def _again(reason: str, lease: Lease, most_attempts: int) -> Decision:
    if lease.attempt >= most_attempts:
        return End(Outcome.FAILED, reason)
    return Rest(_REST_ON_FAULT_S * 2 ** (lease.attempt - 1), reason, whole_host=False)
