"""A page's markup as a tree, unless it nests so deeply that no tree is made in time.

Comes in: markup, already decoded where a page declares a charset. Goes out: the
parser's tree; for markup that nests too deeply an empty one, which reads as a page
without text. The parser's time grows with the square of the depth, and nothing
stops it once it runs. The depth is counted by the tags alone: tags that are closed in
the wrong order may hide some of it. Nothing here reads the tree.
"""

from __future__ import annotations

import re
from collections import Counter

from selectolax.lexbor import LexborHTMLParser

# One core, <div> within <div>: 5,000 take 0.05 s, 20,000 take 0.85 s, 200,000 take 165 s.
MOST_DEPTH = 5_000
_TAG = re.compile(rb"<(?:(/?)([a-z][^\t\n\f\r />]*)|!--|!\[cdata\[|[!?]|/[^a-z>])")
# A quoted value may hold a `>`.
_TAG_END = re.compile(rb"(?:[^>=]++|=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >]*+))*+>")
# Without an end tag (HTML standard, 13.1.2), or ended by the next of their kind: none lies within its like.
_FLAT = frozenset(
    b"area base br col embed hr img input link meta param source track wbr "
    b"p li dt dd option optgroup rb rt rp tr td th thead tbody tfoot colgroup".split()
)
# What stands within is text, whatever it looks like (HTML standard, 13.2.6.2).
_RAW = frozenset(b"script style textarea title xmp iframe noembed noframes".split())
# An end tag within one of these ends nothing outside (HTML standard, 13.2.4.2).
_WALLED = frozenset(b"table template select button svg math object marquee applet".split())
# Drawings and formulas: nothing within is text only, but for what stands within one of their gates to HTML (13.2.6).
_GATES = {
    b"svg": frozenset(b"title desc foreignobject".split()),
    b"math": frozenset(b"mi mo mn ms mtext annotation-xml".split()),
}
_ANY_GATE = frozenset().union(*_GATES.values())
# What ends a drawing by beginning (13.2.6.5).
_BREAKS_OUT = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu "
    b"meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)


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
        while (tag := _TAG.search(raw, at)) is not None and self._depth <= most:
            slash, name = tag.groups()
            at = _after(raw, tag, is_drawn=self._around() in _GATES)
            if at < 0:
                break
            if name is not None:
                self._take(name, is_end=bool(slash), is_closed=raw[at - 2 : at] == b"/>")
        return self._depth > most

    def _take(self, name: bytes, *, is_end: bool, is_closed: bool) -> None:
        if is_end:
            self._end(name)
            return
        while name in _BREAKS_OUT and self._around() in _GATES:
            self._leave()
        is_drawn = self._around() in _GATES
        # Elsewhere `/>` closes nothing; within a gate nothing is flat, as it keeps the gate open.
        if is_drawn and is_closed:
            return
        if is_drawn or (name not in _RAW and (self._around() in _ANY_GATE or name not in _FLAT)):
            self._begin(name, is_room=name in _WALLED or (is_drawn and name in _GATES[self._around()]))

    def _around(self) -> bytes:
        """Return what the innermost room is within."""
        return self._rooms[-2][0][-1] if len(self._rooms) > 1 else b""

    def _leave(self) -> None:
        """Close the innermost room and what it is within."""
        inside, _ = self._rooms.pop()
        names, count = self._rooms[-1]
        count[names.pop()] -= 1
        self._depth -= len(inside) + 1

    def _begin(self, name: bytes, *, is_room: bool) -> None:
        names, count = self._rooms[-1]
        names.append(name)
        count[name] += 1
        self._depth += 1
        if is_room:
            self._rooms.append(([], Counter()))

    def _end(self, name: bytes) -> None:
        around = self._around()
        names, count = self._rooms[-1]
        if not count[name] and name == around and not (name in _ANY_GATE and names):
            self._leave()
            return
        if count[name]:
            last = b""
            while last != name:
                last = names.pop()
                count[last] -= 1
                self._depth -= 1


def _after(raw: bytes, tag: re.Match[bytes], *, is_drawn: bool) -> int:
    """Return where to read on behind a tag, a comment or an element of text; -1 when it never ends."""
    name, at = tag[2], tag.end()
    if name is None:
        if tag[0] == b"<!--":  # `<!-->` and `<!--->` are whole comments (HTML standard, 13.2.5.43)
            return _behind(raw, b"-->", at - 2)
        is_text = is_drawn and tag[0].startswith(b"<![")
        return _behind(raw, b"]]>" if is_text else b">", at - (not is_text))
    end = _TAG_END.match(raw, at)
    if end is None:
        return -1
    if name in _RAW and not tag[1] and not is_drawn:
        return _behind(raw, b">", raw.find(b"</" + name, end.end()))
    return end.end()


def _behind(raw: bytes, mark: bytes, at: int) -> int:
    found = raw.find(mark, at) if at >= 0 else -1
    return found + len(mark) if found >= 0 else -1
