"""The process that holds the model: `python -m psyllm.lm.engine_process FOLDER THREADS`.

In: lines of `wire` on standard input. Out: lines of `wire` on standard output.
It ends when its input ends, so it never outlives its parent, and it writes
words nowhere but there: other output is thrown away by the parent. Any error
while answering ends the process; the parent starts a new one.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from psyllm.core.errors import PsyError
from psyllm.core.settings import Decoding
from psyllm.lm.template import Message
from psyllm.lm.wire import pack_line, unpack_line

if TYPE_CHECKING:
    from psyllm.lm.decode import Decoder

# Help cards and stored messages come before generated words on a busy machine.
NICENESS = 5


def main() -> None:
    """Load the model, then answer until the input ends."""
    os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints can't break the lines
    lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(sys.stdin.buffer, lines), daemon=True).start()
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    try:
        _answer(folder, threads, lines, out)
    except PsyError as error:
        out.write(pack_line("refused", code=error.code, message=error.message, next_step=error.next_step))


def _hear(source: IO[bytes], lines: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in source:
        lines.put(unpack_line(line))
    os._exit(0)


def _answer(folder: Path, threads: int, lines: queue.SimpleQueue[dict[str, Any]], out: IO[bytes]) -> None:
    # late, so that the end of the input is heard while torch loads
    import torch

    from psyllm.lm.checkpoint import load
    from psyllm.lm.decode import Decoder

    torch.set_num_threads(threads)
    decoder = Decoder(load(folder))
    out.write(pack_line("ready"))
    while True:
        while not decoder.busy or not lines.empty():
            _take(lines.get(), decoder, out)
        for ticket, text, reason in decoder.step():
            if text:
                out.write(pack_line("text", ticket=ticket, text=text))
            if reason:
                out.write(pack_line("end", ticket=ticket, reason=reason))


def _take(line: dict[str, Any], decoder: Decoder, out: IO[bytes]) -> None:
    if line["kind"] == "submit":
        messages = [Message(role, text) for role, text in line["messages"]]
        decoder.add(line["ticket"], messages, Decoding(**line["decoding"]), line["seed"])
    elif line["kind"] == "cancel" and decoder.cancel(line["ticket"]):
        out.write(pack_line("end", ticket=line["ticket"], reason="cancelled"))


if __name__ == "__main__":
    main()
