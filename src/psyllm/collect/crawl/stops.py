"""Recognises the answers that mean: go away, or come back later.

The status, headers and body of an answer come in; a `Stop` goes out, or None for
an ordinary page. A hard stop (a login, a captcha, a firewall's page, a refusal)
ends the crawl of that host: it is recorded, never solved and never tried again.
A soft one (too many requests, overload) says how long to rest. Whether a page
holds anything worth keeping is the site adapters' to say. Nothing here waits.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from psyllm.collect.sites.decoding import decoded

TABLE = Path(__file__).with_suffix(".toml")
# Login, captcha and WAF pages say what they are early, and are short; a long page that
# quotes such words far down is an ordinary one.
MARKED_BYTES = 16_384
REST_S = 60.0
LONGEST_REST_S = 24 * 3600.0
# 405: a GET is allowed on every page (RFC 9110); Alibaba Cloud's firewall refuses with it.
_REFUSALS = {
    401: "login",
    403: "refused",
    405: "waf",
    407: "refused",
    412: "waf",
    418: "waf",
    451: "refused",
}
_BUSY = {429: "too_many", 503: "overload"}

Place = Literal["address", "body"]


class Stop(NamedTuple):
    """Why not to go on: a reason code; `rest_s` above 0 makes it a pause and not an end."""

    reason: str
    rest_s: float = 0.0

    @property
    def is_hard(self) -> bool:
        """Whether the host is left alone for good."""
        return self.rest_s <= 0


class Mark(NamedTuple):
    """One row of the table: a pattern, where it is looked for, and what it means."""

    reason: str
    place: Place
    pattern: re.Pattern[str]
    anchors: tuple[bytes, ...]
    longest_bytes: int


def stop_of(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Stop | None:
    """Return why an answer is a stop, or None; header names are in lower case."""
    if status in _REFUSALS:
        return Stop(_REFUSALS[status])
    if status in _BUSY:
        marked = _in_body(body, headers.get("content-type", ""))
        return marked or Stop(_BUSY[status], rest_of(headers.get("retry-after", ""), now))
    if 300 <= status < 400:
        return stop_of_address(headers.get("location", ""))
    return _in_body(body, headers.get("content-type", ""))


def stop_of_address(address: str) -> Stop | None:
    """Return the stop that the address of a redirect stands for, or None."""
    for mark in marks():
        if mark.place == "address" and mark.pattern.search(address):
            return Stop(mark.reason)
    return None


def rest_of(retry_after: str, now: datetime) -> float:
    """Return the seconds that `Retry-After` asks for (seconds or a date); a minute when it does not say."""
    said = retry_after.strip()
    if said.isdecimal():
        return min(max(float(said), 1.0), LONGEST_REST_S)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return REST_S
    aware = until if until.tzinfo else until.replace(tzinfo=now.tzinfo)
    return min(max((aware - now).total_seconds(), 1.0), LONGEST_REST_S)


def _in_body(body: bytes, content_type: str) -> Stop | None:
    head = _head(body, content_type)
    low = head.lower()
    near = [mark for mark in marks() if any(anchor in low for anchor in mark.anchors)]
    text = head.decode("utf-8", "replace") if near else ""
    for mark in near:
        if len(body) <= mark.longest_bytes and mark.pattern.search(text):
            return Stop(mark.reason)
    return None


def _head(body: bytes, content_type: str) -> bytes:
    """Return the beginning of a body as UTF-8, whatever its charset."""
    head = body[:MARKED_BYTES]
    if len(body) > MARKED_BYTES and b"<" in head:
        head = head[: head.rindex(b"<")]  # before a tag no character is cut in half
    markup = decoded(head, content_type).markup
    return markup if isinstance(markup, bytes) else markup.encode("utf-8", "replace")


@cache
def marks() -> tuple[Mark, ...]:
    """Return the table of `stops.toml`."""
    rows = tomllib.loads(TABLE.read_text("utf-8"))["mark"]
    return tuple(
        Mark(
            row["reason"],
            row["place"],
            re.compile(row["pattern"], re.IGNORECASE),
            tuple(anchor.encode() for anchor in row["anchors"]),
            row["longest_bytes"],
        )
        for row in rows
    )
