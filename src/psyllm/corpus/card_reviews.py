"""The part of the data card that says what people reviewed.

The manifest of cleaning comes in, with the figures that `feedback` gave it and
how many decisions applied; lines of Markdown go out. Nothing is counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psyllm.core.stages import Manifest

_NONE = "Nobody has reviewed the cleaned records yet: `psyllm clean review` draws a sample for the desk."
_ESTIMATES = {
    "kept_rejected": "Kept, though reviewers reject it",
    "kept_rejected_or_edited": "Kept, though reviewers reject or edit it",
    "dropped_wrongly": "Dropped, though reviewers keep it",
}


def reviews_of(cleaned: Manifest) -> dict[str, Any]:
    """Return what people reviewed of the cleaned run, empty when nobody has."""
    return dict(cleaned.details.get("reviews", {}))


def reviews_lines(reviews: Mapping[str, Any]) -> list[str]:
    """Return the part as lines of Markdown."""
    if not reviews:
        return [_NONE]
    drawn = sum(row["drawn"] for row in reviews["coverage"])
    settled = sum(row["settled"] for row in reviews["coverage"])
    run, people = reviews["run"] or "an earlier run", reviews["reviewers"]
    lines = [
        f"{people} people reviewed a sample of {run}: {settled:,} of {drawn:,} drawn records are settled.",
        f"Records that wait for a third person: {reviews['disputed']:,}.",
        f"Decisions applied: {reviews['decisions_applied']:,}.",
        f"Decisions about words that have changed since: {reviews['decisions_stale']:,}.",
        f"Dropped records taken back: {reviews['wrong_drops_kept']:,}.",
        f"Krippendorff's alpha (nominal, blind): {_number(reviews['alpha'])}.",
        f"Equal blind decisions: {_percent(reviews['agreement'])}.",
        "",
    ]
    lines += ["| In the whole run, estimated | share | rows covered |", "|---|---|---|"]
    for name, title in _ESTIMATES.items():
        found = reviews["estimates"].get(name)
        if found is not None:
            covered = f"{found['covered']:,} of {found['population']:,}"
            lines.append(f"| {title} | {_percent(found)} | {covered} |")
    lines += [
        "",
        "| Stratum | rows | drawn | settled | accept | edit | reject |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in reviews["coverage"]:
        counts = (row[name] for name in ("population", "drawn", "settled", "accept", "edit", "reject"))
        cells = " | ".join(f"{count:,}" for count in counts)
        lines.append(f"| {row['stratum'].replace('|', '/')} | {cells} |")
    return lines


def _number(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return f"not defined ({found['of']} records judged twice, or all judged the same)"
    return f"{found['value']:.2f}{_ends(found, 1, '')} over {found['of']:,} records"


def _percent(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return "unknown, none is read"
    return f"{found['value']:.1%}{_ends(found, 100, ' %')} of {found['of']:,} read"


def _ends(found: Mapping[str, Any], factor: float, unit: str) -> str:
    if found["low"] is None:
        return ""
    digits = 2 if factor == 1 else 1
    return f" [{found['low'] * factor:.{digits}f}, {found['high'] * factor:.{digits}f}{unit}]"
