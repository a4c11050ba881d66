"""What a cleaning step is: a name, and what becomes of a record, or of many looked at together.

A step gives for many records exactly what it gives for each alone. Most look
at one after the other; those whose first question is the same for all of them (does
any of these words stand in it? how does it score?) ask it of a whole batch at once.
Which steps there are is in `steps.py`, how they are taken in `batches.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from psyllm.clean.drop import Drop
from psyllm.core.records import Record

Result = Record | Drop
Apply = Callable[[Record], Result]
ApplyAll = Callable[[Sequence[Record]], list[Result]]


class Step(NamedTuple):
    """A step's name, by which its changes are counted, and what it does: to one, and to many if that is quicker."""

    name: str
    apply: Apply
    apply_all: ApplyAll | None = None

    def take(self, records: Sequence[Record]) -> list[Result]:
        """Return what becomes of each record."""
        if self.apply_all is not None:
            return self.apply_all(records)
        return [self.apply(record) for record in records]


def where(look: Callable[[Sequence[Record]], list[bool]], apply: Apply) -> ApplyAll:
    """Return the step for many records that is taken only where a look at all of them says it may matter."""

    def apply_all(records: Sequence[Record]) -> list[Result]:
        return [
            apply(record) if may_matter else record
            for record, may_matter in zip(records, look(records), strict=True)
        ]

    return apply_all
