"""What a robots.txt says, read so that every doubt means no.

The answer to one request for `/robots.txt` comes in; a `Verdict` goes out that
says of any URL of that origin whether we may fetch it and how slowly. Only a
complete, readable text in the form of RFC 9309, or a plain "there is none" (404,
410), lets anything through; one line that can't be read means no (`robots_rules`).
A refusal, an overload, a dropped connection, a
challenge page or bytes that are no text mean no for the whole origin; RFC 9309
allows all on a 4xx, we do not. Nothing here fetches or waits.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from protego import Protego

from psyllm.collect.crawl.robots_rules import AGENT, rules_of

# RFC 9309, 2.5: a parser must read at least 500 KiB. What is longer is refused whole:
# what stands behind a cut could forbid.
MOST_BYTES = 500 * 1024
# RFC 9309, 2.4: not used longer than 24 hours.
FRESH = timedelta(hours=24)
MOST_REDIRECTS = 5  # RFC 9309, 2.3.1.2
_MARKUP = re.compile(r"<\s*(!doctype|html|head|body|script|meta|title|div)\b", re.IGNORECASE)
_ABSENT = frozenset({404, 410})
# Come back later: the site did not say no, it could not say anything.
_PASSING = frozenset({429, 500, 502, 503, 504})

Word = Literal["rules", "absent", "denied", "unreachable"]


class Answer(NamedTuple):
    """What came back for robots.txt; status 0 means that nothing whole came, and `fault` says why."""

    status: int
    body: bytes = b""
    content_type: str = ""
    fault: str = ""


class Snapshot(NamedTuple):
    """A verdict as it is kept: `word` and `reason` in one code, when, and the hash of the bytes."""

    body: bytes
    status: int
    verdict: str
    fetched_at: str
    sha256: str


class Verdict:
    """What one origin allows us."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        word, _, self.reason = snapshot.verdict.partition(":")
        self.word = word
        said = rules_of(snapshot.body.decode("utf-8-sig")) if word == "rules" else None
        if said is not None and said.fault:  # kept by an earlier version, which read more as rules
            self.word, self.reason = "denied", said.fault
        self._rules = Protego.parse(said.text) if said is not None and not said.fault else None

    def allows(self, url: str) -> bool:
        """Return whether we may fetch this URL of the origin."""
        if self._rules is not None:
            return bool(self._rules.can_fetch(url, AGENT))
        return self.word == "absent"

    @property
    def delay_s(self) -> float:
        """The seconds between requests that it asks for: the larger of Crawl-delay and Request-rate."""
        if self._rules is None:
            return 0.0
        rate = self._rules.request_rate(AGENT)
        by_rate = rate.seconds / rate.requests if rate is not None and rate.requests else 0.0
        return max(float(self._rules.crawl_delay(AGENT) or 0.0), by_rate)

    @property
    def is_passing(self) -> bool:
        """Whether the site could not answer and may be asked again later."""
        return self.word == "unreachable"

    def is_fresh(self, now: datetime) -> bool:
        """Return whether it may still be relied on."""
        return timedelta() <= now - datetime.fromisoformat(self.snapshot.fetched_at) < FRESH


def verdict_of(answer: Answer, now: datetime) -> Verdict:
    """Return the verdict on what came back for robots.txt."""
    word, reason = _judged(answer)
    kept = answer.body if word == "rules" else b""
    snapshot = Snapshot(
        kept,
        answer.status,
        f"{word}:{reason}",
        now.astimezone(UTC).isoformat(timespec="seconds"),
        hashlib.sha256(answer.body).hexdigest(),
    )
    return Verdict(snapshot)


def _judged(answer: Answer) -> tuple[Word, str]:
    if answer.fault:
        word: Word = "unreachable" if answer.status == 0 or answer.status in _PASSING else "denied"
        return word, answer.fault
    if answer.status in _ABSENT:
        return "absent", str(answer.status)
    if answer.status in _PASSING or answer.status >= 500:
        return "unreachable", str(answer.status)
    if answer.status != 200:
        return "denied", str(answer.status)
    fault = _fault_of(answer.body, answer.content_type)
    return ("denied", fault) if fault else ("rules", "200")


def _fault_of(body: bytes, content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if kind and (not kind.startswith("text/") or kind == "text/html"):
        return "not_plain_text"
    if len(body) > MOST_BYTES:
        return "too_long"
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "undecodable"
    return _fault_of_text(text)


def _fault_of_text(text: str) -> str:
    if "\x00" in text:
        return "undecodable"
    if any(_MARKUP.search(line.partition("#")[0]) for line in text.splitlines()):
        return "markup"
    return rules_of(text).fault
