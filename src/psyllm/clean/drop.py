"""What a cleaning step answers when a record does not stay."""

from __future__ import annotations

from typing import NamedTuple


class Drop(NamedTuple):
    """The record is left out; `reason` is a short name that is counted."""

    reason: str
