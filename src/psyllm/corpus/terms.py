"""Terms travel: what the licences of training texts ask of whoever uses the model.

Names of licences come in; they go out the strictest first with what each asks
(`licences.toml`), and as one permit: the narrowest use, whether what is made
must be shared alike, and the earliest end. Free text and unknown names count
as the strictest. What an agreement says of a source stands above its licence.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from psyllm.corpus.sources import SourceTerms

_TABLE = Path(__file__).parent / "licences.toml"
UNKNOWN = "read its own terms"


Uses = Literal["any", "non_commercial", "research", "unknown"]
_FROM_FREE_TO_STRICT: tuple[Uses, ...] = ("any", "non_commercial", "research", "unknown")


class Permit(NamedTuple):
    """What a corpus and every model trained on it may be used for; `expires` is empty for no end."""

    uses: Uses
    share_alike: bool
    expires: str
    sources: list[dict[str, str]]


class Term(NamedTuple):
    """A licence and what it asks."""

    licence: str
    asks: str


def terms(licences: Iterable[str]) -> list[Term]:
    """Return each licence once, the strictest first."""
    ranked = sorted({(_rank(licence), licence) for licence in licences}, key=lambda pair: (-pair[0], pair[1]))
    return [Term(licence, _asks(rank)) for rank, licence in ranked]


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
        uses=_strictest(row["uses"] for row in rows),
        share_alike=any(_shares_alike(licence) for licence in every),
        expires=min((row["expires"] for row in rows if row["expires"]), default=""),
        sources=rows,
    )


def _uses(licences: Iterable[str], agreed: SourceTerms | None) -> Uses:
    if agreed is None:
        return "unknown"
    if agreed.uses:
        return _strictest([agreed.uses])
    ranks = (_rank(licence) for licence in licences)
    return _strictest("unknown" if rank == len(_rows()) else _rows()[rank]["uses"] for rank in ranks)


def _strictest(uses: Iterable[str]) -> Uses:
    named = set(uses)
    return next((use for use in reversed(_FROM_FREE_TO_STRICT) if use in named), "any")


def _shares_alike(licence: str) -> bool:
    rank = _rank(licence)
    return rank < len(_rows()) and bool(_rows()[rank]["share_alike"])


def _rank(licence: str) -> int:
    folded = licence.casefold()
    for rank, row in enumerate(_rows()):
        if any(folded.startswith(begin.casefold()) for begin in row["begins"]):
            return rank
    return len(_rows())


def _asks(rank: int) -> str:
    return UNKNOWN if rank == len(_rows()) else str(_rows()[rank]["asks"])


@functools.cache
def _rows() -> list[dict[str, str]]:
    rows: list[dict[str, Any]] = tomllib.loads(_TABLE.read_text("utf-8"))["licence"]
    return rows
