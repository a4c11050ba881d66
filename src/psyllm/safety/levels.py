"""The five levels of danger and whom they are about.

Levels are ordered: comparing and taking the maximum is what every room does
with them. Nothing here decides a level.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

About = Literal["self", "other", "harm_by_other"]
Label = Literal["none", "distress", "risk", "urgent", "in_progress"]


class Level(IntEnum):
    """How great the danger is."""

    NONE = 0
    DISTRESS = 1
    RISK = 2
    URGENT = 3
    IN_PROGRESS = 4

    @property
    def label(self) -> Label:
        """The level's name in the API, the database and tables."""
        return _LABELS[self.value]

    @classmethod
    def of(cls, label: str) -> Level:
        """Return the level of a label; an unknown label raises ValueError."""
        if label not in _LABELS:
            message = f"{label!r} is no level; levels are {', '.join(_LABELS)}"
            raise ValueError(message)
        return next(level for level in cls if level.label == label)


_LABELS: tuple[Label, ...] = ("none", "distress", "risk", "urgent", "in_progress")
