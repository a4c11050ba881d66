"""The process that extracts: `python -m psyllm.collect.sites.extraction_process MODULE:FUNCTION LIMIT_S`.

In: messages on standard input, each a length and the JSON of a page's address
and markup. Out: on standard output, one message `ready`, then for each page what
the function found. It ends when its input ends. Its parent kills it when a page
takes too long; should the parent be gone, a timer of the system's ends it. It
writes words nowhere but there.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import IO

import orjson

LENGTH = struct.Struct(">I")
MOST_MEMORY_BYTES = 4 << 30
BEYOND_LIMIT_S = 5  # the parent comes first

Found = dict[str, str]


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints can't break the messages
    module, _, name = sys.argv[1].partition(":")
    function: Callable[[str, str], Found] = getattr(importlib.import_module(module), name)
    write_message(out, orjson.dumps("ready"))
    while (raw := read_message(sys.stdin.buffer)) is not None:
        page = orjson.loads(raw)
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]) + BEYOND_LIMIT_S)
        found = function(page["markup"], page["url"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        write_message(out, orjson.dumps(found))


def write_message(stream: IO[bytes], content: bytes) -> None:
    """Write one message whole."""
    rest = memoryview(LENGTH.pack(len(content)) + content)
    while rest:
        rest = rest[stream.write(rest) :]
    stream.flush()


def read_message(stream: IO[bytes]) -> bytes | None:
    """Return the next message, or None at the end of the input."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return stream.read(LENGTH.unpack(head)[0])


if __name__ == "__main__":
    main()
