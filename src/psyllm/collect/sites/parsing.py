"""A page's markup as a tree, unless it nests so deeply that no tree is made in time.

Comes in: markup, already decoded where a page declares a charset. Goes out: the
parser's tree; for markup that nests too deeply an empty one, which reads as a page
without text. The parser's time grows with the square of the depth, and nothing
stops it once it runs. Nothing here reads the tree.
"""

from __future__ import annotations

import re
from collections import Counter

from selectolax.lexbor import LexborHTMLParser

# One core, <div> within <div>: 5,000 take 0.05 s, 20,000 take 0.85 s, 200,000 take 165 s.
MOST_DEPTH = 5_000
_TAG = re.compile(rb"<(?:(/?)([a-z][a-z0-9:-]*)|!--)")
# Without an end tag (HTML standard, 13.1.2), or ended by the next of their kind: none lies within its like.
_FLAT = frozenset(
    b"area base br col embed hr img input link meta param source track wbr "
    b"p li dt dd option optgroup rb rt rp tr td th thead tbody tfoot colgroup".split()
)
# What stands within is text, whatever it looks like (HTML standard, 13.2.6.2).
_RAW = frozenset(b"script style textarea title xmp iframe noembed noframes".split())
# An end tag within one of these ends nothing outside (HTML standard, 13.2.4.2).
_WALLED = frozenset(b"table template select button svg math object marquee applet".split())


def parsed(markup: str | bytes) -> LexborHTMLParser:
    """Return the tree of a page, an empty one for a page that nests too deeply."""
    return LexborHTMLParser("" if nests_too_deeply(markup) else markup)


def nests_too_deeply(markup: str | bytes) -> bool:
    """Return whether more elements than `MOST_DEPTH` are open at once, by a count of the tags."""
    raw = markup.encode("utf-8", "replace") if isinstance(markup, str) else markup
    if raw.count(b"<") - raw.count(b"</") <= MOST_DEPTH:
        return False
    return _Open().exceeds(raw.lower(), MOST_DEPTH)


class _Open:
    """The elements that are open, in rooms that an end tag does not reach out of."""

    def __init__(self) -> None:
        self._rooms: list[tuple[list[bytes], Counter[bytes]]] = [([], Counter())]
        self._depth = 0

    def exceeds(self, raw: bytes, most: int) -> bool:
        """Return whether markup in lower case opens more than so many."""
        at = 0
        while (tag := _TAG.search(raw, at)) is not None:
            slash, name = tag.groups()
            at = _after(raw, tag.end(), name, is_end=bool(slash))
            if name is not None and name not in _FLAT and name not in _RAW:
                if slash:
                    self._end(name)
                elif not self._is_closed_drawing(raw, at):
                    self._begin(name)
            if self._depth > most or at < 0:
                break
        return self._depth > most

    def _begin(self, name: bytes) -> None:
        names, count = self._rooms[-1]
        names.append(name)
        count[name] += 1
        self._depth += 1
        if name in _WALLED:
            self._rooms.append(([], Counter()))

    def _end(self, name: bytes) -> None:
        names, count = self._rooms[-1]
        if not count[name] and name in _WALLED and len(self._rooms) > 1 and self._rooms[-2][0][-1] == name:
            self._depth -= len(names)
            self._rooms.pop()
            names, count = self._rooms[-1]
        if count[name]:
            last = b""
            while last != name:
                last = names.pop()
                count[last] -= 1
                self._depth -= 1

    def _is_closed_drawing(self, raw: bytes, at: int) -> bool:
        """Whether a tag within a drawing or a formula closes itself; elsewhere `/>` closes nothing."""
        around = self._rooms[-2][0][-1] if len(self._rooms) > 1 else b""
        return around in {b"svg", b"math"} and raw[at - 2 : at] == b"/>"


def _after(raw: bytes, at: int, name: bytes | None, *, is_end: bool) -> int:
    """Return where to read on behind a tag, a comment or an element of text; -1 when it never ends."""
    if name is None:
        # `<!-->` and `<!--->` are whole comments (HTML standard, 13.2.5.43).
        found = raw.find(b"-->", at - 2)
        return found + 3 if found >= 0 else -1
    found = raw.find(b">", at)
    if found >= 0 and name in _RAW and not is_end:
        found = raw.find(b"</" + name, found)
    return found + 1 if found >= 0 else -1
