"""What a terminal shows while a model is trained: one calm panel that keeps its place.

In: the reports of a stage of training. Out: stage, step, curves of loss and dev
loss, speed, memory, time left, what is done now and what is kept should it stop.
Other work keeps its bars above. Where a terminal is narrow, dumb or without
colour, `show.py` draws bars only. Nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from psyllm.core.progress import TRAINING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress as Bars

    from psyllm.core.progress import Progress

LEAST_WIDTH, LEAST_HEIGHT = 72, 14
MOST_WIDTH = 100
CURVE_WIDTH = 32
STEPS_OF_HEIGHT = "▁▂▃▄▅▆▇█"
# Of many lines of the log only so many points are kept; a curve of 32 places needs no more.
MOST_POINTS = 4096


@dataclass
class StageSeen:
    """What was told of one stage so far; `saved` is the step of its last checkpoint."""

    name: str
    done: int = 0
    total: int | None = None
    doing: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    dev_losses: list[float] = field(default_factory=list)
    saved: int | None = None

    def take(self, report: Progress) -> None:
        """Take one report in."""
        self.done, self.total, self.doing = report.done, report.total, report.doing
        if report.doing == "starting" and report.done:
            self.saved = report.done  # a checkpoint of an earlier process, from which this one goes on
        self.figures |= report.figures
        for name, points in (("loss", self.losses), ("dev_loss", self.dev_losses)):
            if name in report.figures:
                points.append(report.figures[name])
                del points[:-MOST_POINTS]
        if "saved_step" in report.figures:
            self.saved = int(report.figures["saved_step"])

    def kept(self) -> str:
        """Return what is left of the stage when it is stopped here."""
        where = f"the {self.name} stage stopped at step {self.done:,} of {self.total or 0:,}"
        if self.saved is None:
            return f"{where}; it has no checkpoint yet and will begin anew"
        return f"{where}; its checkpoint of step {self.saved:,} is kept"


def stage_of(report: Progress) -> str | None:
    """Return the stage of training that a report tells of, None for other work."""
    return report.task.removeprefix(TRAINING) if report.task.startswith(TRAINING) else None


def fits(console: Console) -> bool:
    """Return whether the panel can be drawn here and is wanted."""
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and not console.no_color
        and console.encoding.startswith("utf")
        and console.width >= LEAST_WIDTH
        and console.height >= LEAST_HEIGHT
    )


class LiveView:
    """Bars of other work above, the panel of the present stage below."""

    def __init__(self, console: Console, bars: Bars) -> None:
        from rich.live import Live

        self._bars = bars
        self.seen: StageSeen | None = None
        self._live = Live(console=console, get_renderable=self._drawn, refresh_per_second=4)

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()

    def show(self, seen: StageSeen) -> None:
        """Draw this stage from now on."""
        self.seen = seen

    def stop(self) -> None:
        """Leave the last picture as it is."""
        self._live.stop()

    def _drawn(self) -> RenderableType:
        from rich.console import Group

        bars = [self._bars.get_renderable()] if self._bars.tasks else []
        return Group(*bars, *([panel(self.seen)] if self.seen is not None else []))


def panel(seen: StageSeen) -> RenderableType:
    """Return the picture of a stage."""
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", width=9)
    rows.add_column(width=8, justify="right")
    rows.add_column(width=CURVE_WIDTH)
    rows.add_column()
    bar = ProgressBar(
        total=seen.total or 1,
        completed=seen.done,
        width=CURVE_WIDTH,
        complete_style="cyan",
        finished_style="cyan",
    )
    rows.add_row("step", f"{seen.done:,}", bar, f"of {seen.total or 0:,}")
    rows.add_row("loss", _loss(seen.losses), sparkline(seen.losses, CURVE_WIDTH), "")
    best = seen.figures.get("best_step")
    best_words = "" if best is None else f"best at {best:,.0f}"
    rows.add_row("dev loss", _loss(seen.dev_losses), sparkline(seen.dev_losses, CURVE_WIDTH), best_words)
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", width=9)
    lines.add_column()
    for name, words in (
        ("speed", _speed(seen.figures)),
        ("memory", _memory(seen.figures)),
        ("left", _left(seen)),
        ("now", seen.doing),
        ("kept", "no checkpoint yet" if seen.saved is None else f"checkpoint of step {seen.saved:,}"),
    ):
        lines.add_row(name, words)
    both = Table.grid()
    both.add_row(rows)
    both.add_row(lines)
    return Panel(
        both, title=f"training: {seen.name}", title_align="left", border_style="dim", width=MOST_WIDTH
    )


def sparkline(values: Sequence[float], width: int) -> str:
    """Return values as a curve of at most `width` characters, each the mean of its share; gaps for what is no number."""
    finite = [value for value in values if value - value == 0]
    if not finite:
        return ""
    columns = min(width, len(finite))
    cuts = [len(finite) * column // columns for column in range(columns + 1)]
    means = [sum(finite[a:b]) / (b - a) for a, b in pairwise(cuts)]
    low, high = min(means), max(means)
    steps = len(STEPS_OF_HEIGHT) - 1
    heights = [round((mean - low) / (high - low) * steps) if high > low else 0 for mean in means]
    return "".join(STEPS_OF_HEIGHT[height] for height in heights)


def _loss(values: Sequence[float]) -> str:
    return f"{values[-1]:.3f}" if values else "–"


def _speed(figures: dict[str, float]) -> str:
    if "tokens_per_s" not in figures:
        return "–"
    words = f"{figures['tokens_per_s']:,.0f} tokens/s"
    if "mfu" in figures:
        return f"{words}, {100 * figures['mfu']:.0f} % MFU"
    if "processor_share" in figures:
        return f"{words}, {100 * figures['processor_share']:.0f} % of this processor's matmul peak"
    return words


def _memory(figures: dict[str, float]) -> str:
    if "card_bytes" in figures:
        return f"{figures['card_bytes'] / 2**20:,.0f} MiB of the card"
    if "process_bytes" in figures:
        return f"{figures['process_bytes'] / 2**20:,.0f} MiB in this process"
    return "–"


def _left(seen: StageSeen) -> str:
    left_s = seen.figures.get("left_s")
    if left_s is None:
        return "–"
    minutes, seconds = divmod(round(left_s), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{clock} for this stage, less if it stops early"
