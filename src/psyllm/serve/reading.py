"""The bundled articles, for whoever would rather read than write.

Reviewed records come in, the articles that may be shown go out, all at once:
which of them somebody reads stays on their device. Nothing is searched here.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from psyllm.core.starter import starter_records


class Article(NamedTuple):
    """One article as it is shown; `reviewed_by` is empty while no professional has put a name to it."""

    title: str
    topic: str
    text: str
    reviewed_by: str


def load_articles(data: Path) -> tuple[Article, ...]:
    """Return the bundled articles in their order; what a reviewer rejected is not among them."""
    return tuple(
        Article(record.title, record.topic, record.text, record.reviewed_by)
        for record in starter_records(data=data)
        if record.kind == "document" and record.may_show
    )
