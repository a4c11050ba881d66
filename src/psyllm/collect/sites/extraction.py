"""The main text of an unknown page, with a hard limit of time.

Comes in: a page's markup. Goes out: its title, text and day, or why there are
none. The work is done in a process of its own, because neither a thread nor an
exception stops a regular expression or a parser that does not come back: after
the limit the process is killed and the next page gets a new one.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
import weakref
from typing import Literal, NamedTuple

import orjson

from psyllm.collect.sites.extraction_process import LENGTH, write_message
from psyllm.core.errors import MissingExtra

TRAFILATURA = "psyllm.collect.sites.main_text:main_text"
LIMIT_S = 10.0  # a usual page takes 0.01 s
START_S = 120.0  # loading the library on a busy machine
Failure = Literal["", "page_takes_too_long", "page_breaks_the_extractor", "no_text_found"]


class Extract(NamedTuple):
    """What was found, or why nothing was."""

    title: str = ""
    text: str = ""
    date: str = ""
    failure: Failure = ""


class Extraction:
    """One worker process, started at the first page; not for use by several threads."""

    def __init__(self, limit_s: float = LIMIT_S, function: str = TRAFILATURA) -> None:
        self._limit_s = limit_s
        self._function = function
        self._worker: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes]], Extraction] | None = None

    def extract(self, markup: str, url: str) -> Extract:
        """Return what a page says; never takes much longer than the limit.

        Raises:
            MissingExtra: the worker does not start at all.
        """
        worker = self._running()
        try:
            if worker.stdin is not None:
                write_message(worker.stdin, orjson.dumps({"markup": markup, "url": url}))
            found = _answer(worker, self._limit_s)
        except TimeoutError:
            self.close()
            return Extract(failure="page_takes_too_long")
        except (OSError, EOFError, orjson.JSONEncodeError):
            self.close()
            return Extract(failure="page_breaks_the_extractor")
        if not isinstance(found, dict) or not found.get("text"):
            return Extract(failure="no_text_found")
        return Extract(found.get("title", ""), found["text"], found.get("date", ""))

    def close(self) -> None:
        """Kill the worker, whatever it does."""
        if self._end is not None:
            self._end()
        self._worker = self._end = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._worker is None:
            self._worker = _started(self._function, self._limit_s)
            self._end = weakref.finalize(self, _kill, self._worker)
            try:
                _answer(self._worker, START_S)
            except (OSError, EOFError):
                self.close()
                message = f"the process that reads unknown pages ({self._function}) does not start"
                raise MissingExtra(
                    message, "see why: python -c 'import trafilatura'; then install it"
                ) from None
        return self._worker


def _started(function: str, limit_s: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "psyllm.collect.sites.extraction_process", function, str(limit_s)]
    # What this process can import, its worker can: installed, from a checkout, under pytest.
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
    )


def _kill(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _answer(worker: subprocess.Popen[bytes], limit_s: float) -> object:
    """Return the worker's next message.

    Raises:
        TimeoutError: it did not come in time.
        EOFError: the worker is gone.
    """
    if worker.stdout is None:
        raise EOFError
    descriptor, deadline = worker.stdout.fileno(), time.monotonic() + limit_s
    length = LENGTH.unpack(_bytes(descriptor, LENGTH.size, deadline))[0]
    content: object = orjson.loads(_bytes(descriptor, length, deadline))
    return content


def _bytes(descriptor: int, count: int, deadline: float) -> bytes:
    blocks: list[bytes] = []
    while count:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        block = os.read(descriptor, min(count, 1 << 20))
        if not block:
            raise EOFError
        blocks.append(block)
        count -= len(block)
    return b"".join(blocks)
