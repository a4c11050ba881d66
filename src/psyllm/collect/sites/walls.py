"""Why a page gives nothing to read: a login, a captcha, a firewall, an overload, a deletion, or new markup.

Comes in: a page in which an adapter found nothing. Goes out: the reason by the
rows of `walls.toml`, or `changed` when none fits: then the site's markup is no
longer what the adapter knows, and somebody has to look. A page with something
to read is judged by that text alone, and is a wall only when nothing but a wall's
own words is in it, so that a person who writes about a login is heard. Walls are
told and counted, never climbed.
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
_WORD = re.compile(r"[\w\u2600-\u27bf\U0001f000-\U0010ffff]")  # an emoji is a word


class Wall(NamedTuple):
    """A pattern with a text that it takes and one that it leaves."""

    name: str
    stop: Stop
    on: Literal["html", "url", "text"]
    pattern: re.Pattern[str]
    takes: str
    leaves: str
    anchors: tuple[bytes, ...]


@functools.cache
def walls() -> tuple[Wall, ...]:
    """Return the rows of the table."""
    rows = tomllib.loads(_TABLE.read_text("utf-8"))["wall"]
    return tuple(
        Wall(
            row["name"],
            row["stop"],
            row["on"],
            re.compile(row["pattern"]),
            row["takes"],
            row["leaves"],
            tuple(anchor.encode() for anchor in row["anchors"]),
        )
        for row in rows
    )


@functools.cache
def interface_words() -> re.Pattern[str]:
    """Return the words of buttons and forms that stand beside a wall's own."""
    pattern: str = tomllib.loads(_TABLE.read_text("utf-8"))["interface"]["pattern"]
    return re.compile(pattern)


def wall_of(page: Page) -> Stop:
    """Return why a page holds nothing to read."""
    seen = {"html": _markup(page), "url": page.url, "text": ""}
    return next((wall.stop for wall in walls() if wall.pattern.search(seen[wall.on])), "changed")


def wall_in(text: str, page: Page) -> Stop:
    """Return the wall that a page is whose text is nothing but a wall's words, or an empty string."""
    said: list[Stop] = []
    left = text
    for wall in walls():
        if wall.on != "url" and wall.pattern.search(left):
            said.append(wall.stop)
            left = wall.pattern.sub(" ", left)
    if _WORD.search(interface_words().sub(" ", left)):
        return ""
    stop = said[0] if said else wall_of(page)
    return "" if stop == "changed" else stop


def may_be_wall(page: Page) -> bool:
    """Return whether the mark of a wall (no deletion's) stands anywhere on a page, a person's words included."""
    markup = decoded(page.body, page.content_type).markup
    low = (markup.encode("utf-8", "replace") if isinstance(markup, str) else markup).lower()
    likely = [wall for wall in walls() if wall.stop != "deleted"]
    if any(wall.on == "url" and wall.pattern.search(page.url) for wall in likely):
        return True
    near = [wall for wall in likely if any(anchor in low for anchor in wall.anchors)]
    text = _markup(page) if near else ""
    return any(wall.pattern.search(text) for wall in near)


def _markup(page: Page) -> str:
    return decoded(page.body, page.content_type).text()[:_HEAD_CHARS]
