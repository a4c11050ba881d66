"""Runs as tasks of the server, detached from the request that asked for them.

A run goes on when its visitor's connection breaks; following it means reading
its numbered events from the casebook, again from any number. A run that may
not publish any more is stopped; one that breaks ends with a notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from psyllm.casebook import runs
from psyllm.casebook.kinds import UNFINISHED, MessageAuthor, RunKind
from psyllm.casebook.messages import Draft
from psyllm.casebook.open import Casebook
from psyllm.casebook.runs import Following, Work
from psyllm.core.errors import NotFound, StaleVersion, WrongState
from psyllm.core.private import Private
from psyllm.serve.answer import Library
from psyllm.serve.bells import Bells
from psyllm.serve.notices import Notices
from psyllm.serve.reply import Speaker, is_for_the_model

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 5.0


class Runner:
    """Carries runs out and lets visitors follow them."""

    def __init__(self, book: Casebook, library: Library, speaker: Speaker, notices: Notices) -> None:
        self._book = book
        self._library = library
        self._speaker = speaker
        self._notices = notices
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.bells = Bells()

    def launch(self, run_id: str) -> asyncio.Task[None]:
        """Start to carry a run out; a run that is going already is not started twice."""
        if run_id not in self._tasks:
            task = asyncio.create_task(self._watch(run_id))
            self._tasks[run_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(run_id, None))
        return self._tasks[run_id]

    async def stopped(self, run_ids: Iterable[str]) -> None:
        """Let go of runs that the casebook has stopped: free the model, tell who follows."""
        for run_id in run_ids:
            await self._speaker.cancel(run_id)
            self.bells.ring(run_id)

    async def follow(self, visitor_id: str, run_id: str, after: int) -> AsyncIterator[Following]:
        """Yield news of a run, beginning after an event's number, until its last event."""
        with self.bells.hang(run_id) as bell:
            while not self.bells.closing:
                bell.clear()
                # Asked first: a run that had ended by now has all of its events already. Erased: not found.
                run = await runs.own_run(self._book, visitor_id, run_id)
                news = await runs.events_after(self._book, run_id, after)
                if news.events:
                    yield news
                    after = news.events[-1].seq
                elif run.state in UNFINISHED:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(bell.wait(), LOOK_AGAIN_S)
                else:
                    return

    async def close(self) -> None:
        """Let go of all runs; the next start marks the unfinished ones as failed."""
        self.bells.close()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, run_id: str) -> None:
        [outcome] = await asyncio.gather(self._carry_out(run_id), return_exceptions=True)
        if isinstance(outcome, (StaleVersion, WrongState)):
            await runs.stop(self._book, run_id)
        elif isinstance(outcome, Exception) and not isinstance(outcome, NotFound):
            # The kind only: an error's text may quote what it failed on.
            log.error("run %s broke with %s", run_id, type(outcome).__name__)
            await runs.fail(self._book, run_id, self._notices.failed)
        self.bells.ring(run_id)

    async def _carry_out(self, run_id: str) -> None:
        work = await runs.begin(self._book, run_id)
        self.bells.ring(run_id)
        if work.kind is RunKind.LIBRARY:
            newest = next(text for author, text in reversed(work.turns) if author is MessageAuthor.VISITOR)
            can_view = await self._speaker.state() == "ready" and is_for_the_model(newest)
            notices = self._notices
            otherwise = notices.nothing_near_but_view if can_view else notices.nothing_near
            draft = await self._from_library(work, otherwise[work.language])
            await runs.publish_whole(self._book, run_id, draft)
        else:
            instead = await self._from_library(work, self._notices.help[work.language])
            await self._speaker.speak(self._book, work, instead, lambda: self.bells.ring(run_id))

    async def _from_library(self, work: Work, otherwise: Private) -> Draft:
        draft = await asyncio.to_thread(self._library.nearest, work.turns, work.shown)
        return draft or Draft(MessageAuthor.NOTICE, otherwise)
