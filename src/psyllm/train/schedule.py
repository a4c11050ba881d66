"""The learning rate as a function of the step, and how many steps a stage has.

In: a stage's settings, a step, a number of rows. Out: shares of the peak rate,
numbers of steps. Pure: the loop, `psyllm train more` and its tests ask the same
function, so what is said about the rate is what happens. No torch here.
"""

from __future__ import annotations

import math

from psyllm.core.train_settings import TrainingStage


def planned_steps(stage: TrainingStage, rows: int) -> int:
    """Return the stage's optimiser steps: as set, or those of so many passes over `rows`, rounded up."""
    if not stage.steps or not stage.epochs:
        return stage.steps
    return max(1, math.ceil(stage.epochs * rows / stage.batch_rows))


def rate_share(stage: TrainingStage, done: int) -> float:
    """Return what of the peak rate the step after `done` steps takes.

    It climbs in a line from `last_rate_share` over the warm-up, stays at 1 until
    `steady_share` of all steps, then falls in a line back to `last_rate_share`.
    """
    warmup, falling = _warmup_and_fall(stage)
    least = stage.last_rate_share
    if done < warmup:
        return done / warmup * (1 - least) + least
    left = stage.steps - done
    if left <= 0:
        return least
    return min(left / falling, 1.0) * (1 - least) + least if falling else 1.0


def first_falling_step(stage: TrainingStage) -> int:
    """Return after how many steps the rate begins to fall."""
    return stage.steps - _warmup_and_fall(stage)[1]


def _warmup_and_fall(stage: TrainingStage) -> tuple[int, int]:
    warmup = min(stage.warmup_steps, max(stage.steps - 1, 0))
    return warmup, min(int(stage.steps * (1 - stage.steady_share)), stage.steps - warmup)
