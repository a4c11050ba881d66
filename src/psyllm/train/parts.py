"""Which rows of a step each process computes.

A step's rows are those of one process, in the same order: the first process
takes the first part of them, and so on, and each computes its part in as many
goes as its memory asks for. In: rows and numbers. Out: rows. Nothing here
speaks with another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from torch.utils.data import Dataset

from psyllm.core.errors import BadSetting
from psyllm.core.train_settings import TrainingStage, TrainSettings
from psyllm.lm.pack import Rows
from psyllm.lm.template import NOT_LEARNT

T_co = TypeVar("T_co", covariant=True)


class Goes(NamedTuple):
    """How a process computes its part of a step: so many rows at once, so many times."""

    rows: int
    times: int


class Listed(Protocol[T_co]):
    """What has a length and numbered items."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: int) -> T_co:
        """One of them."""
        ...


class Part(Dataset[T_co]):
    """The items of all steps that one process computes, of `whole`, which lists them step after step."""

    def __init__(self, whole: Listed[T_co], step_rows: int, rank: int, count: int) -> None:
        self._whole = whole
        self._step_rows = step_rows
        self._rows = step_rows // count
        self._first = rank * self._rows

    def __len__(self) -> int:
        return len(self._whole) // self._step_rows * self._rows

    def __getitem__(self, index: int) -> T_co:
        step, place = divmod(index, self._rows)
        return self._whole[step * self._step_rows + self._first + place]


def goes(stage: TrainingStage, count: int) -> Goes:
    """Return how each of so many processes computes its part of a step's rows.

    `rows_at_once` counts the rows of one process; a part smaller than it is computed at once.
    """
    rows = stage.batch_rows // count
    at_once = min(stage.rows_at_once or rows, rows)
    return Goes(at_once, rows // at_once)


def check_sharing(settings: TrainSettings, count: int) -> None:
    """Refuse what so many processes can't share in the way of `train.processes`.

    Raises:
        BadSetting: a stage, a method or a setting is one process's, or the rows of a step do not come out even.
    """
    way = settings.processes
    if way != "one" and settings.prefer.steps:
        message = f"train.prefer learns in one process, and train.processes={way}"
        raise BadSetting(
            message,
            "train the other stages with train.prefer.steps=0, then learn from ratings by one: psyllm train continue "
            "--set train.adapt.steps=0 --set train.answer.steps=0",
        )
    if way == "fsdp" and settings.adapter.method != "full":
        message = (
            f"train.adapter.method={settings.adapter.method} keeps and merges the addition whole, and "
            "train.processes=fsdp has nothing whole"
        )
        raise BadSetting(message, "set train.processes=ddp: only the small addition is exchanged")
    if way != "one" and settings.compile == "on":
        message = (
            f"train.compile=on compiles a model that nothing is wrapped around, and train.processes={way}"
        )
        raise BadSetting(message, "set train.compile=auto, which leaves compiling out there")
    check_parts([("adapt", settings.adapt), ("answer", settings.answer)], way, count)


def check_parts(stages: Sequence[tuple[str, TrainingStage]], way: str, count: int) -> None:
    """Refuse steps that so many processes can't share in this way (`train.processes`).

    Raises:
        BadSetting: the rows of a step, or of a part, do not come out even, or an optimiser can't do with shards.
    """
    for name, stage in stages:
        if stage.steps and way == "fsdp" and stage.optimizer == "muon":
            message = (
                f"train.{name}.optimizer=muon turns whole matrices, and train.processes=fsdp has none whole"
            )
            raise BadSetting(message, f"set train.processes=ddp, or train.{name}.optimizer=adamw")
        if stage.steps and stage.batch_rows % count:
            message = (
                f"train.{name}.batch_rows={stage.batch_rows} can't be shared equally by {count} processes"
            )
            raise BadSetting(
                message, f"set train.{name}.batch_rows to a multiple of {count}, or start other processes"
            )
        part = stage.batch_rows // count
        if stage.steps and part % goes(stage, count).rows:
            message = (
                f"train.{name}.rows_at_once={stage.rows_at_once} does not divide the {part} rows of a process"
            )
            raise BadSetting(message, f"set train.{name}.rows_at_once to a divisor of {part}, or 0")


def part_to_measure(rows: Rows, rank: int, count: int) -> Rows:
    """Return every `count`th row; all processes get equally many, the last ones perhaps one that learns nothing.

    Processes that hold parts of one model must call it equally often.
    """
    if count == 1 or not len(rows.ids):
        return rows
    most = -(-len(rows.ids) // count)
    mine = rows.take(np.arange(rank, len(rows.ids), count))
    if len(mine.ids) == most:
        return mine
    filler = rows.take([0])
    empty = np.full_like(filler.labels, NOT_LEARNT)
    return Rows(
        np.concatenate([mine.ids, filler.ids]),
        np.concatenate([mine.labels, empty]),
        np.concatenate([mine.positions, filler.positions]),
    )
