"""Where a character went when a text was edited, and where it came from.

Edits come in as passes (each a list of replaced stretches, in order); spans
over the old text come out as spans over the new text, and the other way
round. Used for strategy spans (cleaning, masking) and for screening, which
reads a folded copy but points at the visitor's own words. Nothing here
decides what is edited.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import NamedTuple


class Edit(NamedTuple):
    """Characters `old_start:old_end` became `new_start:new_end`."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


Pass = tuple[Edit, ...]


class Offsets(NamedTuple):
    """The way from an old text to a new one and back, as passes of edits."""

    passes: tuple[Pass, ...] = ()

    def then(self, later: Offsets) -> Offsets:
        """Return the way through this and then through `later`."""
        return Offsets(self.passes + later.passes)

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the span in the new text, or None when nothing of it is left."""
        for edits in self.passes:
            start, end = _forward(edits, start, is_end=False), _forward(edits, end, is_end=True)
        return (start, end) if start < end else None

    def old_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the old text from which a non-empty new span came."""
        for edits in reversed(self.passes):
            turned = [Edit(edit.new_start, edit.new_end, edit.old_start, edit.old_end) for edit in edits]
            start, end = _forward(turned, start, is_end=False), _forward(turned, end, is_end=True)
        return start, end


def substitute(
    pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str
) -> tuple[str, Offsets]:
    """Return `text` with each match replaced, and the offsets of that pass."""
    pieces: list[str] = []
    edits: list[Edit] = []
    last = 0
    shift = 0
    for match in pattern.finditer(text):
        new = replace(match)
        if new == match.group():
            continue
        start, end = match.span()
        pieces += [text[last:start], new]
        edits.append(Edit(start, end, start + shift, start + shift + len(new)))
        shift += len(new) - (end - start)
        last = end
    if not edits:
        return text, Offsets()
    pieces.append(text[last:])
    return "".join(pieces), Offsets((tuple(edits),))


def aligned(old: str, new: str) -> Offsets:
    """Return the way from one text to another that a person wrote, by aligning them; takes quadratic time."""
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    edits = tuple(Edit(*places) for kind, *places in blocks if kind != "equal")
    return Offsets((edits,)) if edits else Offsets()


def _forward(edits: Pass | list[Edit], offset: int, *, is_end: bool) -> int:
    low, high = 0, len(edits)
    while low < high:  # the last edit that starts before the offset
        middle = (low + high) // 2
        if edits[middle].old_start < offset or (not is_end and edits[middle].old_start == offset):
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return offset
    edit = edits[low - 1]
    if offset >= edit.old_end:
        return offset - edit.old_end + edit.new_end
    return edit.new_end if is_end else edit.new_start
