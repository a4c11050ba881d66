"""The curves of a training as TensorBoard reads them: `tensorboard --logdir data/4_models`.

In: lines of `speed.jsonl`. Out: one file of events a stage. A stage that goes on
is written anew from its lines, so that no step stands there twice. TensorFlow is
not needed, and no thread, no host name and no process number come in.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from psyllm.train.history import figures_of

FILE = "events.out.tfevents.{stage}"


class TensorBoard:
    """Writes scalars, flushed line by line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: RecordWriter | None = None

    def begin(self, stage: str, lines: list[dict[str, Any]]) -> None:
        """Write the stage's file anew from its lines so far."""
        self.close(whole=False)
        folder = self._folder / stage
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = RecordWriter((folder / FILE.format(stage=stage)).open("wb"))
        first = _time_of(lines[0]) if lines else dt.datetime.now(dt.UTC).timestamp()
        self._write(Event(wall_time=first, file_version="brain.Event:2"))
        for line in lines:
            self.take(line)

    def take(self, line: dict[str, Any]) -> None:
        """Add one line's figures."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures_of(line).items()]
        self._write(Event(wall_time=_time_of(line), step=line["step"], summary=Summary(value=values)))

    def close(self, *, whole: bool) -> None:
        """Close the file; it is complete after every line anyway."""
        del whole
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, event: Event) -> None:
        if self._writer is not None:
            self._writer.write(event.SerializeToString())
            self._writer.flush()


def _time_of(line: dict[str, Any]) -> float:
    return dt.datetime.fromisoformat(line["at"]).timestamp()
