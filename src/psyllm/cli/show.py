"""What a running command shows: one bar per task, then the manifest in a few lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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
    listener = _Listener(_bars(console))
    try:
        with listening(listener):
            yield
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
    """Turns reports of the rooms into bars."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, report: Report) -> None:
        if report.task not in self._tasks:
            self._bars.start()  # not earlier: bars without a task end in an empty line
            self._tasks[report.task] = self._bars.add_task(report.task, total=report.total, note=report.note)
        total = report.total if report.total is not None else None
        self._bars.update(self._tasks[report.task], completed=report.done, total=total, note=report.note)

    def stop(self) -> None:
        """Leave the bars, if there are any, as they are."""
        if self._tasks:
            self._bars.stop()


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
