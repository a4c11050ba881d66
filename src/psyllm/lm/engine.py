"""The model's front desk: hands dialogues to a child process, hands words back.

In: a model folder, dialogues, how to draw. Out: text as it is drawn, ticket by
ticket, several at a time. The model lives in `engine_process`, so that it can
neither slow nor bring down who uses it: when that process dies, open tickets
end with `EngineFailed` and a new one is started, a limited number of times and
ever later. Nothing here imports torch, keeps or logs a word, or judges one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from psyllm.core.errors import BadCheckpoint, EngineFailed, PsyError, TokenizerMismatch
from psyllm.core.settings import Decoding
from psyllm.lm.folder import check_folder
from psyllm.lm.template import Message
from psyllm.lm.wire import FinishReason, pack_line, submit_line, unpack_line

FINISHED_KEPT = 1000  # finished tickets whose reason can still be asked for
CLOSE_WAIT_S = 3.0
LONGEST_LINE_BYTES = 1 << 20


class Restarts(NamedTuple):
    """How often the child may die: more than `most` deaths in `window_s` and it stays down."""

    most: int = 5
    window_s: float = 300.0
    first_wait_s: float = 0.2
    longest_wait_s: float = 10.0
    silence_s: float = 60.0  # a child with open tickets that says nothing for so long is ended


class Health(NamedTuple):
    """`queued` counts the tickets that are not finished."""

    state: Literal["starting", "ready", "failed"]
    model: str
    queued: int


@dataclass
class _Ticket:
    words: asyncio.Queue[str | PsyError | None] = field(default_factory=asyncio.Queue)
    reason: FinishReason | None = None
    closed: bool = False


class Engine:
    """A model that answers; make one with `await Engine.start(folder, threads=1)`."""

    def __init__(self, model_folder: Path, threads: int, restarts: Restarts) -> None:
        self._folder = model_folder
        self._threads = threads
        self._restarts = restarts
        self._tickets: dict[str, _Ticket] = {}
        self._numbers = 0
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._failure: PsyError | None = None
        self._settled = asyncio.Event()  # ready for the first time, or failed for good
        self._deaths: deque[float] = deque()
        self._closing = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, model_folder: Path, *, threads: int = 1, restarts: Restarts | None = None) -> Engine:
        """Start the child and return at once, while it still loads (`ready` waits for it).

        Raises:
            BadCheckpoint: the folder holds no model, or a tokenizer of another one.
        """
        await asyncio.to_thread(check_folder, model_folder)
        engine = cls(model_folder, threads, restarts or Restarts())
        await engine._spawn()
        engine._supervisor = asyncio.create_task(engine._supervise())
        return engine

    async def ready(self) -> None:
        """Wait until the model answers.

        Raises:
            EngineFailed: the child did not come up.
            BadCheckpoint: the child could not use the model.
        """
        while not self._ready.is_set():
            self._settled.clear()
            if self._failure is not None:
                raise self._failure
            await self._settled.wait()

    async def submit(self, messages: Sequence[Message], decoding: Decoding, seed: int) -> str:
        """Ask for an answer to the dialogue; return its ticket.

        Raises:
            EngineFailed: the child is down.
        """
        if self._failure is not None:
            raise self._failure
        if not messages:
            message = "a dialogue without messages was submitted"
            raise EngineFailed(message, "submit at least one message")
        self._numbers += 1
        ticket = f"t{self._numbers}"
        self._tickets[ticket] = _Ticket()
        self._forget_old()
        if not self._send(submit_line(ticket, messages, decoding, seed)):
            del self._tickets[ticket]
            raise _down()
        return ticket

    async def stream(self, ticket: str) -> AsyncIterator[str]:
        """Yield the answer's text as it is drawn, whole characters only, then end.

        Raises:
            EngineFailed: the child died before the answer was whole.
        """
        words = self._tickets[ticket].words
        while True:
            item = await words.get()
            if isinstance(item, str):
                yield item
                continue
            words.put_nowait(item)  # whoever asks again is told the same
            if item is not None:
                raise item
            return

    def finish_reason(self, ticket: str) -> FinishReason:
        """Return why a finished answer ended: its end, its greatest length, or a cancel.

        Raises:
            EngineFailed: the answer is not finished, or never will be.
        """
        reason = self._tickets[ticket].reason
        if reason is None:
            message = "this answer has no end yet"
            raise EngineFailed(message, "read its stream to the end first")
        return reason

    async def cancel(self, ticket: str) -> None:
        """End an answer now; its stream ends normally. A finished one stays as it is."""
        found = self._tickets.get(ticket)
        if found is None or found.closed:
            return
        self._finish(found, "cancelled")
        self._send(pack_line("cancel", ticket=ticket))

    async def health(self) -> Health:
        """Return the state of the child without waiting for it."""
        state: Literal["starting", "ready", "failed"] = "starting"
        if self._failure is not None:
            state = "failed"
        elif self._ready.is_set():
            state = "ready"
        queued = sum(not ticket.closed for ticket in self._tickets.values())
        return Health(state, _model_name(self._folder), queued)

    async def close(self) -> None:
        """End the child and every open answer."""
        self._closing.set()
        process = self._process
        if process is not None and process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), CLOSE_WAIT_S)
            _kill(process)
        if self._supervisor is not None:
            await self._supervisor

    def _send(self, line: bytes) -> bool:
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            return False
        if process.stdin.is_closing():
            return False
        process.stdin.write(line)
        return True

    async def _spawn(self) -> None:
        threads = self._threads or os.cpu_count() or 1
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads leave the cores to the service
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "psyllm.lm.engine_process",
            str(self._folder),
            str(threads),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LONGEST_LINE_BYTES,
            env=environment,
        )

    async def _spawn_again(self) -> None:
        try:
            await self._spawn()
        except OSError:
            self._failure = _down()

    async def _supervise(self) -> None:
        while True:
            process = self._process
            if process is not None:
                await self._listen(process)
                await process.wait()
            self._ready.clear()
            self._fail_open()
            if not self._may_restart():
                self._failure = self._failure or _down()
                self._settled.set()
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._wait_s())
            if not self._closing.is_set():
                await self._spawn_again()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Hand out what the child says until it ends; end it when it hangs."""
        if process.stdout is None:
            return
        while True:
            try:
                async with asyncio.timeout(self._restarts.silence_s):
                    line = await process.stdout.readline()
                if not line:
                    return
                self._hear(unpack_line(line))
            except TimeoutError:
                if self._ready.is_set() and any(not ticket.closed for ticket in self._tickets.values()):
                    _kill(process)
            except (ValueError, KeyError):  # no line of ours: the child is out of its mind
                _kill(process)

    def _hear(self, said: dict[str, Any]) -> None:
        if said["kind"] == "ready":
            self._ready.set()
            self._settled.set()
        elif said["kind"] == "refused":
            self._failure = _refusal(said)
        else:
            ticket = self._tickets.get(said["ticket"])
            if ticket is None or ticket.closed:
                return
            if said["kind"] == "text":
                ticket.words.put_nowait(said["text"])
            else:
                self._finish(ticket, said["reason"])

    def _finish(self, ticket: _Ticket, reason: FinishReason) -> None:
        ticket.reason = reason
        ticket.closed = True
        ticket.words.put_nowait(None)

    def _fail_open(self) -> None:
        for ticket in self._tickets.values():
            if not ticket.closed:
                ticket.closed = True
                ticket.words.put_nowait(self._failure or _down())

    def _forget_old(self) -> None:
        if len(self._tickets) > FINISHED_KEPT:
            oldest = next((name for name, ticket in self._tickets.items() if ticket.closed), None)
            if oldest is not None:
                del self._tickets[oldest]

    def _may_restart(self) -> bool:
        if self._closing.is_set() or self._failure is not None:
            return False
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths and now - self._deaths[0] > self._restarts.window_s:
            self._deaths.popleft()
        return len(self._deaths) <= self._restarts.most

    def _wait_s(self) -> float:
        doubled = self._restarts.first_wait_s * 2 ** (len(self._deaths) - 1)
        return float(min(doubled, self._restarts.longest_wait_s))


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()


def _down() -> EngineFailed:
    message = "the model's process is down"
    return EngineFailed(message, "try again in a minute; if it stays so, run: psyllm doctor")


def _refusal(said: dict[str, Any]) -> PsyError:
    kinds: dict[str, type[PsyError]] = {
        BadCheckpoint.code: BadCheckpoint,
        TokenizerMismatch.code: TokenizerMismatch,
    }
    return kinds.get(said["code"], EngineFailed)(said["message"], said["next_step"])


def _model_name(folder: Path) -> str:
    """The run's name: `data/4_models/<run>/model` is called by its run."""
    return folder.parent.name if folder.name == "model" else folder.name
