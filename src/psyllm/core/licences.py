"""What a licence asks of whoever holds a text or a model under it, and what a permit may say of it.

In: the name of a licence. Out: what it asks (`licences.toml`), the uses that it
permits, whether what is made must be shared alike, and its place among the others.
Only whole SPDX names are known, and of several joined by AND, OR or WITH the strictest
counts; free text and unknown names count as the strictest. No legal advice.
"""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import Any

from psyllm.core.permits import Uses, strictest

_TABLE = Path(__file__).parent / "licences.toml"
UNKNOWN = "read its own terms"
NOTHING = "nothing"

# Which of two licences holds (OR) nobody has said, and an exception (WITH) is no name of the table.
_JOINED = re.compile(r"\s+(?:AND|OR|WITH)\s+", re.IGNORECASE)


def uses_of(licence: str) -> Uses:
    """Return the narrowest use that a licence permits."""
    return strictest("unknown" if rank == len(_rows()) else _rows()[rank]["uses"] for rank in _ranks(licence))


def shares_alike(licence: str) -> bool:
    """Return whether what is made must be given on under the same terms."""
    return any(rank < len(_rows()) and bool(_rows()[rank]["share_alike"]) for rank in _ranks(licence))


def strictness(licence: str) -> int:
    """Return the place among all licences, the greater the stricter."""
    return _ranks(licence)[0]


def all_asked(licence: str) -> str:
    """Return in words what it asks."""
    asked = [_asks(rank) for rank in _ranks(licence)]
    return "; ".join(ask for ask in asked if ask != NOTHING) or NOTHING


def _ranks(licence: str) -> list[int]:
    """Return the place in the table of each licence that is joined here, the strictest first."""
    parts = (part.strip("() ") for part in _JOINED.split(licence))
    return sorted({_places().get(part.casefold(), len(_rows())) for part in parts}, reverse=True)


def _asks(rank: int) -> str:
    return UNKNOWN if rank == len(_rows()) else str(_rows()[rank]["asks"])


@functools.cache
def _places() -> dict[str, int]:
    return {name.casefold(): rank for rank, row in enumerate(_rows()) for name in row["ids"]}


@functools.cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(_TABLE.read_text("utf-8"))["licence"]
    return rows
