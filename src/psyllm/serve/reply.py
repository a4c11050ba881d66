"""The only place where a model speaks to a person: sentence by sentence, each after the guard.

In: a run's work. Out: sentences in the casebook, each released only after the
guard has passed the whole text so far and the sentence is stored. When the
guard fails, time runs out or the model's process dies, what was released is
withdrawn and a written answer takes its place; so it does from the day after the
last one on which the model's terms let it speak. The models write Chinese: who wrote in
another language is not offered what one writes. The model lives in a child process, started
in the background. Screening is not done here; a run for a dangerous conversation never
comes to be.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple, Protocol

from psyllm.casebook import runs
from psyllm.casebook.kinds import MessageAuthor, ReplacedBecause
from psyllm.casebook.messages import Draft, Source
from psyllm.casebook.open import Casebook
from psyllm.casebook.runs import Work
from psyllm.core.errors import EngineFailed, PsyError
from psyllm.core.private import Private
from psyllm.core.settings import Decoding
from psyllm.lm.engine import Engine, Health
from psyllm.lm.template import Message
from psyllm.safety.guard import Verdict, check
from psyllm.serve.schema import Generation
from psyllm.text.han import han_share_of_letters, has_kana_or_hangul
from psyllm.text.sentences import complete_prefix

log = logging.getLogger(__name__)

_LEAST_HAN_SHARE = 0.5  # of a message's letters: 我最近 feel 很难过 is Chinese, "I feel 难过" is not


class Talker(Protocol):
    """What is needed of `lm.engine.Engine`."""

    async def submit(self, messages: Sequence[Message], decoding: Decoding, seed: int) -> str:
        """Ask for an answer, return its ticket."""

    def stream(self, ticket: str) -> AsyncIterator[str]:
        """Yield its text."""

    def finish_reason(self, ticket: str) -> str:
        """Tell why it ended."""

    async def cancel(self, ticket: str) -> None:
        """End it."""

    async def health(self) -> Health:
        """Tell the state of the child."""

    async def close(self) -> None:
        """End the child."""


Start = Callable[[Path, int], Awaitable[Talker]]
Check = Callable[..., Verdict]


class Limits(NamedTuple):
    """How answers are drawn and how long one may take."""

    decoding: Decoding
    timeout_s: float
    threads: int


class GuardFailed(Exception):
    """The guard did not pass the text so far."""


async def start_engine(folder: Path, threads: int) -> Talker:
    """Start the model's child process; it loads in the background."""
    return await Engine.start(folder, threads=threads)


def today_utc() -> dt.date:
    """Return the day in UTC, by which terms end."""
    return dt.datetime.now(dt.UTC).date()


class Speaker:
    """Lets the model answer, watched; without a model folder, or after the last day of its terms, it is off."""

    def __init__(
        self,
        folder: Path | None,
        limits: Limits,
        start: Start = start_engine,
        guard: Check = check,
        *,
        last_day: dt.date | None = None,
        today: Callable[[], dt.date] = today_utc,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._start = start
        self._guard = guard
        self._engine: Talker | None = None
        self._failed = False
        self._last_day = last_day
        self._today = today
        self._ended = False
        self._tickets: dict[str, str] = {}

    async def open(self) -> None:
        """Start the child; a model that can't be used leaves generation failed, not the service."""
        if self._folder is None:
            return
        try:
            self._engine = await self._start(self._folder, self._limits.threads)
        except PsyError as error:
            self._failed = True
            log.warning("no generated answers: %s (%s)", error.message, error.code)

    async def close(self) -> None:
        """End the child and all of its answers."""
        if self._engine is not None:
            await self._engine.close()

    async def state(self) -> Generation:
        """Return whether a generated answer can be had now."""
        if self._folder is None or self._has_ended():
            return "off"
        if self._failed:
            return "failed"
        if self._engine is None:
            return "starting"
        return (await self._engine.health()).state

    async def cancel(self, run_id: str) -> None:
        """Let the model stop working for this run, if it does."""
        ticket = self._tickets.get(run_id)
        if ticket is not None and self._engine is not None:
            await self._engine.cancel(ticket)

    async def speak(self, book: Casebook, work: Work, instead: Draft, ring: Callable[[], None]) -> None:
        """Answer a run to its end; `instead` takes a failed answer's place.

        Raises:
            WrongState, StaleVersion: the run may not publish any more.
        """
        reason = None
        try:
            await self._release(book, work, ring)
        except GuardFailed:
            reason = ReplacedBecause.GUARD
        except TimeoutError:
            reason = ReplacedBecause.TIMEOUT
        except EngineFailed:
            reason = ReplacedBecause.ENGINE
        finally:
            await self.cancel(work.run_id)
            self._tickets.pop(work.run_id, None)
        if reason is None:
            await runs.finish(book, work.run_id)
        else:
            await runs.replace(book, work.run_id, reason, instead)

    async def _release(self, book: Casebook, work: Work, ring: Callable[[], None]) -> None:
        deadline = asyncio.get_running_loop().time() + self._limits.timeout_s
        if self._has_ended():  # since the run was asked for
            message = "the terms of the model have ended"
            raise EngineFailed(message, "run: psyllm corpus, then psyllm train, then psyllm serve")
        engine = self._engine
        if engine is None:
            message = "the model has not started"
            raise EngineFailed(message, "try again in a minute")
        source = Source(model=(await engine.health()).model)
        seed = int(work.run_id[:8], 16)
        ticket = await engine.submit(prompt(work.turns), self._limits.decoding, seed)
        self._tickets[work.run_id] = ticket
        async with aclosing(self._passed(engine, ticket, said_by_visitor(work.turns))) as sentences:
            while True:
                # Only the waiting is timed: a sentence that is being stored is stored.
                async with asyncio.timeout_at(deadline):
                    sentence = await anext(sentences, None)
                if sentence is None:
                    return
                await runs.publish_sentence(book, work.run_id, Private(sentence), source)
                ring()

    def _has_ended(self) -> bool:
        ended = self._last_day is not None and self._today() > self._last_day
        if ended and not self._ended:
            log.warning(
                "no generated answers any more: the model rests on a source whose agreement ended on %s;"
                " run: psyllm corpus, then psyllm train, and start the service again",
                self._last_day,
            )
        self._ended = ended
        return ended

    async def _passed(self, engine: Talker, ticket: str, asked: Private) -> AsyncGenerator[str, None]:
        """Yield whole sentences, each after the guard has passed everything up to it."""
        text = ""
        released = 0
        async for delta in engine.stream(ticket):
            text += delta
            whole = complete_prefix(text)
            if len(whole) > released:
                await self._need_passed(whole, final=False, asked=asked)
                yield whole[released:]
                released = len(whole)
        reason = engine.finish_reason(ticket)
        if reason == "cancelled":
            return
        # An answer cut off by its greatest length loses its last half sentence.
        whole = text.rstrip() if reason == "end" else complete_prefix(text, final=True)
        await self._need_passed(whole, final=True, asked=asked)
        if len(whole) > released:
            yield whole[released:]

    async def _need_passed(self, text: str, *, final: bool, asked: Private) -> None:
        # In a thread: other visitors must not wait while a text is looked at.
        work = asyncio.to_thread(self._guard, text, final=final, asked=asked.reveal())
        [verdict] = await asyncio.gather(work, return_exceptions=True)
        if isinstance(verdict, Verdict) and verdict.passed:
            return
        # A guard that breaks has not passed; its error's text may quote the words.
        reasons = verdict.reasons if isinstance(verdict, Verdict) else (type(verdict).__name__,)
        log.info("a generated answer was withdrawn: %s", ", ".join(reasons))
        raise GuardFailed


def is_for_the_model(words: Private) -> bool:
    """Whether a visitor's message is written in the language that the models answer in.

    One kana or hangul is enough to keep the model silent, also where 我の心情很差 or a face made of signs
    borrows one. The page has the same rule (features/chat/state.ts).
    """
    text = words.reveal()
    return not has_kana_or_hangul(text) and han_share_of_letters(text) >= _LEAST_HAN_SHARE


def said_by_visitor(turns: Sequence[tuple[MessageAuthor, Private]]) -> Private:
    """Return all that the visitor said, by which the guard knows what was asked about."""
    return Private("\n".join(text.reveal() for author, text in turns if author is MessageAuthor.VISITOR))


def prompt(turns: Sequence[tuple[MessageAuthor, Private]]) -> list[Message]:
    """Return the dialogue as the template takes it: no notices, turns of one side joined."""
    messages: list[Message] = []
    for author, text in turns:
        if author is MessageAuthor.NOTICE:
            continue
        visitor = author is MessageAuthor.VISITOR
        if messages and (messages[-1].role == "visitor") == visitor:
            messages[-1] = messages[-1]._replace(text=f"{messages[-1].text}\n{text.reveal()}")
        else:
            messages.append(Message("visitor" if visitor else "counsellor", text.reveal()))
    return messages
