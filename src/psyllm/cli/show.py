"""What a running command shows: one bar per task, a panel for training, then the manifest in a few lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from psyllm.cli.live import LiveView, StageSeen, fits, stage_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from psyllm.core.progress import Progress as Report
    from psyllm.core.stages import Manifest

S = TypeVar("S")


def carry_out(run: Callable[[S, Path], Manifest], settings: S, data: Path) -> None:
    """Run one room with progress bars on standard error, then print what came out."""
    with progress_bars():
        manifest = run(settings, data)
    _print_manifest(manifest, data)


@contextmanager
def progress_bars() -> Iterator[None]:
    """Show the progress reported inside the block as bars on standard error."""
    from rich.console import Console

    from psyllm.core.progress import listening

    # Not standard output: that stays readable by programs.
    console = Console(stderr=True)
    listener = _Listener(console)
    try:
        with listening(listener):
            yield
    except KeyboardInterrupt:
        listener.stop()
        if listener.stage is not None:
            console.print(f"\n{listener.stage.kept()}", highlight=False)
        raise
    finally:
        listener.stop()


def _bars(console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


class _Listener:
    """Turns reports of the rooms into bars, and those of training into a panel where one fits."""

    def __init__(self, console: Console) -> None:
        self._bars = _bars(console)
        self._live = LiveView(console, self._bars) if fits(console) else None
        self._tasks: dict[str, TaskID] = {}
        self._drawing = False
        self.stage: StageSeen | None = None

    def __call__(self, report: Report) -> None:
        name = stage_of(report)
        if name is not None:
            if self.stage is None or self.stage.name != name:
                self.stage = StageSeen(name)
            self.stage.take(report)
            if self._live is not None:
                self._live.show(self.stage)
        if name is None or self._live is None:
            self._draw_bar(report)
        self._start()

    def stop(self) -> None:
        """Leave what is drawn, if anything is, as it is."""
        if self._drawing:
            self._drawing = False
            (self._live or self._bars).stop()

    def _draw_bar(self, report: Report) -> None:
        if report.task not in self._tasks:
            self._tasks[report.task] = self._bars.add_task(report.task, total=report.total, note=report.note)
        task = self._tasks[report.task]
        self._bars.update(task, completed=report.done, total=report.total)
        if report.note or not report.doing:  # what training is doing now has no words of its own
            self._bars.update(task, note=report.note)

    def _start(self) -> None:
        if not self._drawing:  # not earlier: bars without a task end in an empty line
            self._drawing = True
            (self._live or self._bars).start()


def _print_manifest(manifest: Manifest, data: Path) -> None:
    import typer

    folder = data / manifest.stage / manifest.run
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest.counts.items())
    typer.echo(f"{folder}: {counts}")
    if manifest.drops:
        drops = ", ".join(f"{reason} {count:,}" for reason, count in sorted(manifest.drops.items()))
        typer.echo(f"  dropped: {drops}")
    for name in ("report.html", "card.md"):
        if name in manifest.files:
            typer.echo(f"  open: {folder / name}")
