"""Terms travel: what the licences of texts ask of whoever holds them or uses a model trained on them.

Names of licences come in; they go out the strictest first with what each asks
(`licences.toml`), and as one permit: the narrowest use, whether what is made
must be shared alike, and the earliest end. Only whole SPDX names are known, and
of several joined by AND, OR or WITH the strictest counts; free text and unknown
names count as the strictest. What somebody says of a source narrows what its
licence permits; to widen it takes the agreement itself.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.permits import Permit, Uses, strictest
from psyllm.corpus.sources import SourceTerms

_TABLE = Path(__file__).parent / "licences.toml"
UNKNOWN = "read its own terms"
NOTHING = "nothing"

# Which of two licences holds (OR) nobody has said, and an exception (WITH) is no name of the table.
_JOINED = re.compile(r"\s+(?:AND|OR|WITH)\s+", re.IGNORECASE)


class Term(NamedTuple):
    """A licence and what it asks."""

    licence: str
    asks: str


def terms(licences: Iterable[str]) -> list[Term]:
    """Return each licence once, the strictest first."""
    ranked = sorted(
        {(_ranks(licence)[0], licence) for licence in licences}, key=lambda pair: (-pair[0], pair[1])
    )
    return [Term(licence, _all_asked(licence)) for _, licence in ranked]


def permit(licences_by_source: Mapping[str, Iterable[str]], known: Mapping[str, SourceTerms]) -> Permit:
    """Return the strictest of what all sources permit.

    A source whose own manifest is gone (not in `known`) may have had an agreement: its uses are unknown.
    """
    rows = [
        {
            "source": source,
            "licence": ", ".join(sorted(set(licences))),
            "uses": _uses(licences, known.get(source)),
            "expires": known[source].expires if source in known else "",
            "agreement": known[source].agreement if source in known else "",
        }
        for source, licences in sorted(licences_by_source.items())
    ]
    every = {licence for licences in licences_by_source.values() for licence in licences}
    return Permit(
        uses=strictest(row["uses"] for row in rows),
        share_alike=any(_shares_alike(licence) for licence in every),
        expires=min((row["expires"] for row in rows if row["expires"]), default=""),
        sources=rows,
    )


def _uses(licences: Iterable[str], agreed: SourceTerms | None) -> Uses:
    if agreed is None:
        return "unknown"
    by_licence = strictest(use for licence in licences for use in _uses_of(licence))
    if agreed.uses and agreed.agreement:
        return strictest([agreed.uses])
    if agreed.uses == "research":
        # The narrowest use there is may be taken at the importer's word, also of terms that no table knows.
        return "research"
    return strictest([by_licence, agreed.uses] if agreed.uses else [by_licence])


def _uses_of(licence: str) -> list[str]:
    return ["unknown" if rank == len(_rows()) else _rows()[rank]["uses"] for rank in _ranks(licence)]


def _shares_alike(licence: str) -> bool:
    return any(rank < len(_rows()) and bool(_rows()[rank]["share_alike"]) for rank in _ranks(licence))


def _ranks(licence: str) -> list[int]:
    """Return the place in the table of each licence that is joined here, the strictest first."""
    parts = (part.strip("() ") for part in _JOINED.split(licence))
    return sorted({_places().get(part.casefold(), len(_rows())) for part in parts}, reverse=True)


def _all_asked(licence: str) -> str:
    asked = [_asks(rank) for rank in _ranks(licence)]
    return "; ".join(ask for ask in asked if ask != NOTHING) or NOTHING


def _asks(rank: int) -> str:
    return UNKNOWN if rank == len(_rows()) else str(_rows()[rank]["asks"])


@functools.cache
def _places() -> dict[str, int]:
    return {name.casefold(): rank for rank, row in enumerate(_rows()) for name in row["ids"]}


@functools.cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(_TABLE.read_text("utf-8"))["licence"]
    return rows
