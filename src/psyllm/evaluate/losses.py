"""The losses that training wrote down, as curves.

In: a model run's `metrics.jsonl`, one JSON object a line with `stage` and
`step`, and `loss` (training) or `dev_loss`. Out: for each stage the points of
both. Nothing is smoothed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.run_events import METRICS

Points = tuple[tuple[int, float], ...]


class Curves(NamedTuple):
    """Losses of one stage as (step, nats per token)."""

    stage: str
    train: Points
    dev: Points

    def best(self) -> tuple[int, float] | None:
        """Return step and value of the smallest dev loss."""
        return min(self.dev, key=lambda point: (point[1], point[0]), default=None)


def read_losses(model_folder: Path) -> list[Curves]:
    """Return the curves of each stage in the order of training; none if nothing was written down."""
    path = model_folder / METRICS
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    stages = dict.fromkeys(str(line["stage"]) for line in lines if "stage" in line and "step" in line)
    return [
        Curves(stage, _points(lines, stage, "loss"), _points(lines, stage, "dev_loss")) for stage in stages
    ]


def _points(lines: list[dict[str, Any]], stage: str, name: str) -> Points:
    # A resumed run writes a step again; the later line stands for the weights that were kept.
    points = {
        int(line["step"]): float(line[name])
        for line in lines
        if line.get("stage") == stage and line.get(name) is not None
    }
    return tuple(sorted(points.items()))
