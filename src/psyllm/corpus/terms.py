"""Terms travel: what the licences of training texts ask of whoever uses the model.

Names of licences come in; they go out the strictest first with what each asks
(`licences.toml`). Free text and unknown names count as the strictest.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).parent / "licences.toml"
UNKNOWN = "read its own terms"


class Term(NamedTuple):
    """A licence and what it asks."""

    licence: str
    asks: str


def terms(licences: Iterable[str]) -> list[Term]:
    """Return each licence once, the strictest first."""
    ranked = sorted({(_rank(licence), licence) for licence in licences}, key=lambda pair: (-pair[0], pair[1]))
    return [Term(licence, _asks(rank)) for rank, licence in ranked]


def _rank(licence: str) -> int:
    folded = licence.casefold()
    for rank, row in enumerate(_rows()):
        if any(folded.startswith(begin.casefold()) for begin in row["begins"]):
            return rank
    return len(_rows())


def _asks(rank: int) -> str:
    return UNKNOWN if rank == len(_rows()) else _rows()[rank]["asks"]


@functools.cache
def _rows() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = tomllib.loads(_TABLE.read_text("utf-8"))["licence"]
    return rows
