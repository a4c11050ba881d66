"""What the desk's pages of trainings get: runs, curves, settings, where a model comes from. Nothing goes in."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from psyllm.core.permits import Uses
from psyllm.serve.schema import Api

# `unreadable` is a folder whose manifest is damaged.
TrainingState = Literal["complete", "running", "interrupted", "unreadable"]


class TrainingStage(Api):
    """How far a stage came; `planned` is None where nobody knows: no settings, or epochs not counted yet."""

    name: str
    steps: int
    planned: int | None
    best_step: int | None
    dev_loss: float | None
    tokens_seen: int | None
    tokens_per_s: float | None


class TrainingSummary(Api):
    """One training; `in_use` is the one that serves and is measured."""

    name: str
    state: TrainingState
    in_use: bool
    began_at: datetime | None
    finished_at: datetime | None
    weights: int | None
    stages: list[TrainingStage]


class TrainingSetting(Api):
    """One setting; `default` is that of the installed version, None where it has no such setting."""

    name: str
    value: str
    default: str | None
    differs: bool


class TrainingParent(Api):
    """What a training was made from; `here` says that this data folder holds it still, with the same content."""

    run: str
    content_hash: str
    here: bool


class LineageStep(Api):
    """A step on the way from random weights to this model; `run` is empty where no run of this folder made it."""

    kind: str
    name: str
    run: str


class TrainingSource(Api):
    """One source of the permit."""

    source: str
    licence: str
    uses: str
    expires: str


class TrainingPermit(Api):
    """What the model may be used for; `expires` is empty for no end."""

    uses: Uses
    share_alike: bool
    expires: str
    sources: list[TrainingSource]


class TrainingFigure(Api):
    """One figure of the report with its interval, None where there is none."""

    name: str
    value: float
    low: float | None
    high: float | None


class TrainingReport(Api):
    """The newest report on this very model."""

    run: str
    split: str
    figures: list[TrainingFigure]


class TrainingFact(Api):
    """Something known of the run's machine or libraries."""

    name: str
    value: str


class TrainingDetail(Api):
    """All that is known of one training."""

    summary: TrainingSummary
    settings: list[TrainingSetting]
    corpus: TrainingParent | None
    lineage: list[LineageStep]
    permit: TrainingPermit | None
    report: TrainingReport | None
    machine: list[TrainingFact]
    versions: list[TrainingFact]
    content_hash: str
    tokenizer_hash: str
    seconds: float | None
    peak_memory_mb: int | None


class TrainingLine(Api):
    """One line of metrics; None where it does not say a figure, or none that is a number.

    Losses are nats a token, in the stage `prefer` the preference loss.
    """

    stage: str
    step: int
    loss: float | None
    dev_loss: float | None
    learning_rate: float | None
    grad_norm: float | None


class TrainingNow(Api):
    """What a running training does; `share` is MFU on a card, else of the processor's measured matrix products."""

    task: str
    stage: str
    doing: str
    done: int
    total: int | None
    left_s: float | None
    tokens_per_s: float | None
    share: float | None
    on_card: bool
    memory_bytes: float | None
    at: datetime


class TrainingCurve(Api):
    """Lines from place `start` on; ask again from `next`. `start` is 0 when the file was begun anew."""

    state: TrainingState
    start: int
    next: int
    more: bool
    lines: list[TrainingLine]
    now: TrainingNow | None
