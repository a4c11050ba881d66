"""Why a page gives nothing to read: a login, a captcha, a firewall, an overload, a deletion, or new markup.

Comes in: a page in which an adapter found nothing. Goes out: the reason by the
rows of `walls.toml`, or `changed` when none fits: then the site's markup is no
longer what the adapter knows, and somebody has to look. A page with something
to read is never judged here, so that a person who writes about a login is heard.
Walls are told and counted, never climbed.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import Literal, NamedTuple

from psyllm.collect.sites.contract import Page, Stop
from psyllm.collect.sites.decoding import decoded

_TABLE = Path(__file__).parent / "walls.toml"
_HEAD_CHARS = 1 << 17


class Wall(NamedTuple):
    """A pattern with a text that it takes and one that it leaves."""

    name: str
    stop: Stop
    on: Literal["html", "url"]
    pattern: re.Pattern[str]
    takes: str
    leaves: str


@functools.cache
def walls() -> tuple[Wall, ...]:
    """Return the rows of the table."""
    rows = tomllib.loads(_TABLE.read_text("utf-8"))["wall"]
    return tuple(
        Wall(row["name"], row["stop"], row["on"], re.compile(row["pattern"]), row["takes"], row["leaves"])
        for row in rows
    )


def wall_of(page: Page) -> Stop:
    """Return why a page holds nothing to read."""
    markup = decoded(page.body, page.content_type).text()[:_HEAD_CHARS]
    seen = {"html": markup, "url": page.url}
    return next((wall.stop for wall in walls() if wall.pattern.search(seen[wall.on])), "changed")
