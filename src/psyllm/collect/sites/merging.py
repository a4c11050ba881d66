"""All pages of one thread become one draft.

Comes in: the readings of a thread's pages, in any order, with pages seen twice.
Goes out: one question with all of its answers in the site's order, or one
document. Of several copies of a piece the newest is taken, and what it does not say
(an author, votes, a time, as on a page for small screens) is taken from an earlier
one; what was taken down on one page is not taken from another. A thread whose question nobody saw gives
nothing: the caller counts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from psyllm.collect.sites.contract import Draft, Piece, Reading
from psyllm.core.records import Answer

DAMAGED = "damaged_text"


def merged(site: str, thread: str, readings: Iterable[Reading]) -> Iterator[Draft]:
    """Yield the draft of a thread of one question and its answers, or of one article."""
    pieces = newest(thread, readings)
    head = next((piece for piece in pieces if piece.kind in {"question", "article"}), None)
    if head is not None:
        yield draft(site, head, head.text, [piece for piece in pieces if piece.kind == "answer"])


def newest(thread: str, readings: Iterable[Reading]) -> list[Piece]:
    """Return each piece of a thread once, by page and place; none at all when its head was taken down."""
    found: dict[str, Piece] = {}
    gone: set[str] = set()
    for reading in sorted(readings, key=lambda reading: reading.page):
        for piece in reading.pieces:
            if piece.thread != thread:
                continue
            if piece.kind == "gone":
                gone.add(piece.key)
            elif piece.key not in found:
                found[piece.key] = piece
            elif piece.fetched_at > found[piece.key].fetched_at:
                found[piece.key] = _completed(piece, found[piece.key])
            else:
                found[piece.key] = _completed(found[piece.key], piece)
    return [] if thread in gone else [piece for key, piece in found.items() if key not in gone]


def _completed(newer: Piece, older: Piece) -> Piece:
    """Return the newer copy with what only the older one says; the words are the newer one's alone."""
    return newer._replace(
        title=newer.title or older.title,
        keywords=newer.keywords or older.keywords,
        author_hash=newer.author_hash or older.author_hash,
        votes=older.votes if newer.votes is None else newer.votes,
        written_at=newer.written_at or older.written_at,
    )


def draft(site: str, head: Piece, text: str, answers: list[Piece]) -> Draft:
    """Return a draft of a head and its answers; its key is the site's name and the thread's key."""
    damaged = any("\ufffd" in piece.text + piece.title for piece in [head, *answers])
    return Draft(
        key=f"{site}-{head.thread}",
        kind="document" if head.kind == "article" else "question",
        title=head.title,
        text=text,
        keywords=head.keywords,
        answers=tuple(
            Answer(
                text=piece.text,
                author_hash=piece.author_hash,
                votes=piece.votes,
                written_at=piece.written_at,
            )
            for piece in answers
        ),
        author_hash=head.author_hash,
        written_at=head.written_at,
        url=head.url,
        fetched_at=head.fetched_at,
        flags=(DAMAGED,) if damaged else (),
    )
