"""Terms travel: what the licences of texts ask of whoever holds them or uses a model trained on them.

Names of licences come in; they go out the strictest first with what each asks, and
as one permit: the narrowest use, whether what is made must be shared alike, and the
earliest end. What a single licence asks is `core/licences.py`'s. What somebody says of
a source narrows what its licence permits; to widen it takes the agreement itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from psyllm.core.licences import all_asked, shares_alike, strictness, uses_of
from psyllm.core.permits import Permit, Uses, strictest
from psyllm.corpus.sources import SourceTerms


class Term(NamedTuple):
    """A licence and what it asks."""

    licence: str
    asks: str


def terms(licences: Iterable[str]) -> list[Term]:
    """Return each licence once, the strictest first."""
    ranked = sorted(set(licences), key=lambda licence: (-strictness(licence), licence))
    return [Term(licence, all_asked(licence)) for licence in ranked]


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
        share_alike=any(shares_alike(licence) for licence in every),
        expires=min((row["expires"] for row in rows if row["expires"]), default=""),
        sources=rows,
    )


def _uses(licences: Iterable[str], agreed: SourceTerms | None) -> Uses:
    if agreed is None:
        return "unknown"
    by_licence = strictest(uses_of(licence) for licence in licences)
    if agreed.uses and agreed.agreement:
        return strictest([agreed.uses])
    if agreed.uses == "research":
        # The narrowest use there is may be taken at the importer's word, also of terms that no table knows.
        return "research"
    return strictest([by_licence, agreed.uses] if agreed.uses else [by_licence])
