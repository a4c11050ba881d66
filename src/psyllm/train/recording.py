"""Keeps what a training says of itself while it runs: `events/` of its folder, and trackers.

In: the reports of `core/progress.py`. Out: `run.json` (what the run is, for who
looks before there is a manifest), `now.json` (what it does at the moment),
`speed.jsonl` (losses with times, speed and memory), and what each tracker makes
of the same lines. A resumed run takes back the lines after the checkpoint that
it goes on from, so no step stands there twice. Whatever fails here is said once
and ends no training. No words of anybody and no paths reach a tracker.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from psyllm.core.progress import TRAINING, Progress, overhearing
from psyllm.core.run_events import DESCRIPTION, NOW, SPEED, being_made
from psyllm.core.stages import EVENTS, StageRun, write_text_atomically
from psyllm.core.versions import library_versions

log = logging.getLogger(__name__)
Line = dict[str, Any]
BETWEEN_LOOKS_S = 1.0  # of now.json
LOSSES = ("loss", "dev_loss")


class Tracker(Protocol):
    """Somebody else who keeps the curves."""

    def begin(self, stage: str, lines: list[Line]) -> None:
        """Take in that a stage begins or goes on after these lines."""

    def take(self, line: Line) -> None:
        """Keep one line."""

    def close(self, *, whole: bool) -> None:
        """Let go; `whole` says that the training came to its end."""


@contextmanager
def recorded(
    run: StageRun,
    trackers: tuple[str, ...],
    machine: Mapping[str, Any],
    lineage: Mapping[str, Any],
    *,
    writes: bool = True,
) -> Iterator[None]:
    """Keep what is reported inside the block; of many processes only the first `writes`."""
    with ExitStack() as held:
        held.enter_context(being_made(run.folder))
        if writes:
            recorder = _Recorder(run, _made(trackers, run), machine, lineage)
            held.enter_context(overhearing(recorder))
            held.push(lambda kind, _error, _trace: recorder.close(whole=kind is None))
        yield


class _Recorder:
    """Turns reports into files and lines for the trackers."""

    def __init__(
        self,
        run: StageRun,
        trackers: dict[str, Callable[[], Tracker]],
        machine: Mapping[str, Any],
        lineage: Mapping[str, Any],
    ) -> None:
        self._folder = run.folder / EVENTS
        self._works = True
        self._trackers: dict[str, Tracker] = {}
        self._looked_at = 0.0
        self._latest: Line = {}
        self._doing = ""
        with self._unless_it_fails("events/ of the run"):
            description = {
                "run": run.name,
                "fingerprint": run.fingerprint,
                "parents": [parent.model_dump() for parent in run.parents],
                "settings": run.settings,
                "versions": library_versions(),
                "machine": dict(machine),
                "lineage": dict(lineage),
                "began_at": _now(),
            }
            write_text_atomically(self._folder / DESCRIPTION, json.dumps(description, indent=1))
        for name, make in trackers.items():
            with self._unless_it_fails(name):
                self._trackers[name] = make()

    def __call__(self, progress: Progress) -> None:
        """Keep one report."""
        stage = progress.task.removeprefix(TRAINING) if progress.task.startswith(TRAINING) else ""
        self._look(progress, stage)
        if not stage:
            return
        if progress.doing == "starting":
            self._begin(stage, progress.done)
        self._latest |= progress.figures
        measured = {name: value for name, value in self._latest.items() if name not in LOSSES}
        kept = {"stage": stage, "step": progress.done, "at": _now()}
        if "loss" in progress.figures:
            self._keep({**kept, **measured, "loss": progress.figures["loss"]})
        if "dev_loss" in progress.figures:
            self._keep({**kept, "dev_loss": progress.figures["dev_loss"]})

    def close(self, *, whole: bool) -> None:
        """Let the trackers go."""
        for name, tracker in list(self._trackers.items()):
            with self._unless_it_fails(name):
                tracker.close(whole=whole)
        if self._works:
            (self._folder / NOW).unlink(missing_ok=True)

    def _look(self, progress: Progress, stage: str) -> None:
        changed = progress.doing != self._doing
        if not self._works or (not changed and time.monotonic() - self._looked_at < BETWEEN_LOOKS_S):
            return
        self._looked_at, self._doing = time.monotonic(), progress.doing
        now = {
            "task": progress.task,
            "stage": stage,
            "done": progress.done,
            "total": progress.total,
            "doing": progress.doing,
            "figures": {**self._latest, **progress.figures} if stage else {},
            "at": _now(),
        }
        with self._unless_it_fails("events/ of the run"):
            temporary = self._folder / f".{NOW}"  # whole or not at all; a crash may lose it
            temporary.write_text(json.dumps(now), "utf-8")
            temporary.replace(self._folder / NOW)

    def _begin(self, stage: str, step: int) -> None:
        self._latest = {}
        lines: list[Line] = []
        with self._unless_it_fails("events/ of the run"):
            kept = [
                one
                for one in read_lines(self._folder / SPEED)
                if one["stage"] != stage or one["step"] <= step
            ]
            write_text_atomically(self._folder / SPEED, "".join(json.dumps(one) + "\n" for one in kept))
            lines = [one for one in kept if one["stage"] == stage]
        for name, tracker in list(self._trackers.items()):
            with self._unless_it_fails(name):
                tracker.begin(stage, lines)

    def _keep(self, line: Line) -> None:
        if self._works:
            with self._unless_it_fails("events/ of the run"), (self._folder / SPEED).open("a") as file:
                file.write(json.dumps(line) + "\n")
        for name, tracker in list(self._trackers.items()):
            with self._unless_it_fails(name):
                tracker.take(line)

    @contextmanager
    def _unless_it_fails(self, name: str) -> Iterator[None]:
        """Say what fails, once, and do without it from there on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever another program's client may raise
            if name in {"tensorboard", "mlflow"}:
                self._trackers.pop(name, None)
            else:
                self._works = False
            log.warning("training goes on without %s: %s", name, _said(error))


def read_lines(path: Path) -> list[Line]:
    """Return the whole lines of a file of JSON objects; none of a file that is not there."""
    if not path.is_file():
        return []
    found = []
    for text in path.read_text("utf-8").splitlines(keepends=True):
        try:
            line = json.loads(text) if text.endswith("\n") else None
        except json.JSONDecodeError:
            continue  # torn by a crash
        if isinstance(line, dict) and {"stage", "step"} <= line.keys():
            found.append(line)
    return found


def _made(names: tuple[str, ...], run: StageRun) -> dict[str, Callable[[], Tracker]]:
    # late: each brings a library of its own, and mlflow is an extra
    def tensorboard() -> Tracker:
        from psyllm.train.tensorboard_events import TensorBoard

        return TensorBoard(run.folder / EVENTS)

    def mlflow() -> Tracker:
        from psyllm.train.mlflow_door import MLflow

        return MLflow(run)

    known: dict[str, Callable[[], Tracker]] = {"tensorboard": tensorboard, "mlflow": mlflow}
    return {name: known[name] for name in names}


def _said(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name} is missing; install it: pip install 'psyllm[{error.name}]'"
    # not its words: they may name addresses and paths
    return type(error).__name__


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
