"""What training writes down: losses step by step, and what they say about stopping.

In: transformers' log of a stage. Out: the lines of `metrics.jsonl`, the best
step, whether to stop. All of it is computed from the log, which travels in the
checkpoints, so a resumed run decides as an uninterrupted one. Times are left
out: the same run writes the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from psyllm.core.stages import write_text_atomically

DEV_LOSS = "dev_loss"
NO_FIGURES = frozenset(  # of a line: places and times
    {"stage", "step", "at", "left_s", "best_step", "saved_step"}
)
# The last three of the stage `prefer`: how much likelier good answers have become than bad ones.
FIGURES = ("loss", DEV_LOSS, "learning_rate", "grad_norm", "margin", "dev_margin", "dev_accuracy")


def metric_lines(stage: str, logged: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the stage's lines: `loss` or `dev_loss` in nats a token, with the step."""
    lines = []
    for entry in logged:
        # JSON has no infinity, which is the norm of a step that fp16's scaler skipped
        found = {name: entry[name] for name in FIGURES if name in entry and math.isfinite(entry[name])}
        if found:
            lines.append({"stage": stage, "step": entry["step"], **found})
    return lines


def write_metrics(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Replace metrics.jsonl."""
    write_text_atomically(path, "".join(json.dumps(line) + "\n" for line in lines))


def dev_losses(logged: Iterable[dict[str, Any]]) -> list[tuple[int, float]]:
    """Return (step, dev loss) in order."""
    return [(entry["step"], entry[DEV_LOSS]) for entry in logged if DEV_LOSS in entry]


def best_step(logged: Iterable[dict[str, Any]]) -> int | None:
    """Return the step with the lowest dev loss, the earliest of equals; None without any that is a number."""
    losses = [(step, loss) for step, loss in dev_losses(logged) if math.isfinite(loss)]
    return min(losses, key=lambda pair: pair[1])[0] if losses else None


def should_stop(logged: Sequence[dict[str, Any]], patience: int) -> bool:
    """Return whether the last `patience` dev losses brought no better one; never with a patience of 0."""
    if not patience:
        return False
    losses = [loss for _, loss in dev_losses(logged)]
    return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience


def figures_of(line: Mapping[str, Any]) -> dict[str, float]:
    """Return what a line of the history measured, by name: what a tracker draws."""
    return {
        name: float(value)
        for name, value in line.items()
        if name not in NO_FIGURES and isinstance(value, int | float)
    }
