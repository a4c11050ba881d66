"""Everything that the routes work with, opened together and closed together.

Settings and a data folder come in; out comes one `Parts` for the life of the
server. Tests replace single parts. Nothing here answers a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from psyllm.casebook import runs
from psyllm.casebook.open import Casebook, open_casebook
from psyllm.casebook.place import casebook_at, note_place
from psyllm.core.private import Private
from psyllm.core.settings import ServeSettings
from psyllm.serve.answer import Library
from psyllm.serve.notices import Notices
from psyllm.serve.presence import Presence, Throttle
from psyllm.serve.reading import Article, load_articles
from psyllm.serve.reply import Limits, Speaker
from psyllm.serve.runner import Runner
from psyllm.serve.screening import Screener
from psyllm.serve.stand_in import writer


@dataclass(frozen=True)
class Parts:
    """What a running service consists of."""

    settings: ServeSettings
    data: Path
    book: Casebook
    screener: Screener
    runner: Runner
    speaker: Speaker
    notices: Notices
    presence: Presence
    throttle: Throttle
    articles: tuple[Article, ...]
    released: bool


@asynccontextmanager
async def open_parts(
    settings: ServeSettings,
    data: Path,
    *,
    released: bool = False,
    screener: Screener | None = None,
    speaker: Speaker | None = None,
    library: Library | None = None,
) -> AsyncIterator[Parts]:
    """Open casebook, library and model; runs that an earlier server left are marked as failed.

    Raises:
        CasebookError: the casebook lies elsewhere than is set, or can't be opened.
    """
    notices = Notices.load()
    screener = screener or Screener()
    if speaker is None:
        fit = writer(settings, data)
        speaker = Speaker(fit.folder, limits(settings), last_day=fit.last_day)
    if library is None:
        library = await asyncio.to_thread(Library.load, data, settings.nearest_floor)
    articles = await asyncio.to_thread(load_articles, data)
    place = casebook_at(data, settings.database)
    book = await open_casebook(place)
    note_place(data, place)
    runner = Runner(book, library, speaker, notices)
    opening = asyncio.create_task(speaker.open())
    try:
        await book.forget()  # in case an erasure was cut short
        await runs.fail_unfinished(book, notices.failed)
        await screener.judge([Private("你好")])  # the tables are read now, not in a visitor's time
        yield Parts(
            settings=settings,
            data=data,
            book=book,
            screener=screener,
            runner=runner,
            speaker=speaker,
            notices=notices,
            presence=Presence(settings.presence_s),
            throttle=Throttle(),
            articles=articles,
            released=released,
        )
    finally:
        await runner.close()
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await speaker.close()
        screener.close()
        await book.close()


def limits(settings: ServeSettings) -> Limits:
    """Return the limits of generated answers."""
    return Limits(settings.decoding, settings.generation_timeout_s, settings.engine_threads)
