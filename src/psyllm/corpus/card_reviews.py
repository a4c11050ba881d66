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
    lines += ["| Of all rows not read before, estimated | share | rows covered |", "|---|---|---|"]
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


def review_facts(reviews: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the figures as rows for the page: in Chinese, in English, the value."""
    if not reviews:
        return []
    estimates = {
        "kept_rejected": ("留下的当中，审阅人认为不能用的", "kept, though reviewers reject it"),
        "kept_rejected_or_edited": (
            "留下的当中，不能用或要修改的",
            "kept, though reviewers reject or edit it",
        ),
        "dropped_wrongly": ("去掉的当中，其实应当留下的", "dropped, though reviewers keep it"),
    }
    drawn = sum(row["drawn"] for row in reviews["coverage"])
    settled = sum(row["settled"] for row in reviews["coverage"])
    found = reviews["estimates"]
    return [
        ("审阅人", "reviewers", f"{reviews['reviewers']:,}"),
        ("抽样中已定的", "settled of the sample", f"{settled:,} / {drawn:,}"),
        ("等第三人的", "waiting for a third person", f"{reviews['disputed']:,}"),
        ("已用上的决定", "decisions applied", f"{reviews['decisions_applied']:,}"),
        ("文字已变、不再适用的决定", "decisions about changed words", f"{reviews['decisions_stale']:,}"),
        ("收回的误删", "dropped records taken back", f"{reviews['wrong_drops_kept']:,}"),
        ("一致程度", "Krippendorff's alpha (nominal, blind)", _number(reviews["alpha"])),
        ("两人决定相同", "equal blind decisions", _percent(reviews["agreement"])),
        *((*estimates[name], _percent(found[name])) for name in estimates if name in found),
    ]
