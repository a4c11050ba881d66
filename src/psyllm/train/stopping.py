"""Being asked to stop: save at the next good step, then end.

In: a signal to this process (SIGTERM, as a pre-emption sends it, or SIGUSR1),
or a file that anybody may lay down on shared storage. Out: a yes. Nothing here
saves or ends anything.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STOP_FILE = "stop"  # in the folder of all models
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Stop:
    """Whether somebody has asked this training to stop."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._was_signalled = False

    def forget(self) -> None:
        """Take away a file that was laid down before this training began."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def is_asked(self) -> bool:
        """Return whether a signal has come or the file lies there."""
        return self._was_signalled or (self._file is not None and self._file.exists())

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals as requests while the block runs; only a process's main thread hears them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, *_: object) -> None:
        self._was_signalled = True
