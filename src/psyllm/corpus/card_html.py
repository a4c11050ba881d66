"""The data card as one page of HTML, Chinese first and English beside it, without links or scripts.

A card (`card.py`) and samples of what was dropped come in, a page goes out. The
figures are the card's own; nothing is counted here.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from psyllm.corpus.card_reviews import review_facts
from psyllm.corpus.drop_samples import Sample
from psyllm.corpus.split import SPLITS

_HERE = Path(__file__).parent
_WIDTH = 640.0


class Bar(NamedTuple):
    """A part of a whole as a stretch of a bar: place and width of 640, its name and count."""

    name: str
    records: int
    left: float
    width: float


def as_html(card: Mapping[str, Any], samples: Mapping[str, Sequence[Sample]], run: str) -> str:
    """Return the page; without samples it holds no text of a record."""
    cleaning = card["cleaning"]
    return _template().render(
        card={"evaluation_items": {}, "authors": {}, **card},
        cleaning=cleaning,
        run=run,
        splits=SPLITS,
        way=way(card),
        drops=_drops(cleaning, card.get("left_out", {}), samples),
        sources=_sources(card),
        crises=_crises(card),
        reviews=review_facts(card.get("reviews", {})),
        flags={**cleaning.get("levels", {}), **cleaning.get("flags", {})},
    )


def bars(counts: Mapping[str, int]) -> list[Bar]:
    """Return the counts as stretches of one bar; what is none has no stretch."""
    total = sum(counts.values())
    found: list[Bar] = []
    left = 0.0
    for name, count in counts.items():
        if count:
            width = _WIDTH * count / total
            found.append(Bar(name, count, left, width))
            left += width
    return found


def way(card: Mapping[str, Any]) -> list[Bar]:
    """Return where every record that cleaning read has ended.

    What was forgotten since is in no side and not kept by cleaning either: it must not count twice.
    """
    counts: dict[str, int] = {side: int(card["splits"][side]["records"]) for side in SPLITS}
    counts["left_out"] = max(0, int(card["cleaning"]["counts"]["records"]) - sum(counts.values()))
    counts["dropped"] = int(card["cleaning"]["counts"]["dropped"])
    return bars(counts)


def _drops(
    cleaning: Mapping[str, Any], left_out: Mapping[str, int], samples: Mapping[str, Sequence[Sample]]
) -> list[dict[str, Any]]:
    told = {**_reasons(), **cleaning.get("reasons", {})}
    both = [("clean", cleaning["drops"]), ("corpus", left_out)]
    rows = [
        {"room": room, "reason": reason, "count": count, "told": told.get(reason, "")}
        | {"flags": _flags_of(reason, cleaning) if room == "clean" else {}}
        | {"samples": samples.get(reason, ()) if room == "clean" else ()}
        for room, counts in both
        for reason, count in counts.items()
        if count
    ]
    most = max((row["count"] for row in rows), default=1)
    return [{**row, "share": row["count"] / most} for row in sorted(rows, key=lambda row: -row["count"])]


def _flags_of(reason: str, cleaning: Mapping[str, Any]) -> dict[str, int]:
    """Return the flags of records that cleaning dropped for a reason."""
    counts: Mapping[str, int] = cleaning.get("flags_of_dropped", {})
    return {
        name.partition("/")[2]: count for name, count in counts.items() if name.partition("/")[0] == reason
    }


def _crises(card: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return how replies met danger, by side, in the order of SPLITS."""
    crises: Mapping[str, Mapping[str, int]] = card.get("crises", {})
    names = sorted({name for counts in crises.values() for name in counts})
    return {name: [crises[side].get(name, 0) for side in SPLITS] for name in names}


def _sources(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    permits = {row["source"]: row for row in card.get("permit", {}).get("sources", ())}
    read = card["cleaning"].get("sources", {})
    names = sorted({*permits, *read})
    return [
        {
            "name": name,
            **{key: permits.get(name, {}).get(key, "") for key in ("licence", "uses", "expires")},
            **{key: read.get(name, {}).get(key, 0) for key in ("read", "kept")},
            **{side: card["splits"][side]["sources"].get(name, 0) for side in SPLITS},
        }
        for name in names
    ]


@functools.cache
def _reasons() -> dict[str, str]:
    return tomllib.loads((_HERE / "reasons.toml").read_text("utf-8"))


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["n"] = lambda number: f"{number:,}"
    return environment.get_template("card.html.jinja")
