"""The data card: what is in a corpus, where it is from, what was left out and why.

Counts come in as the splits are written and from the manifest of cleaning; the
card goes out as JSON for programs and as Markdown for people. It holds no text
of a record and no time, so that equal corpora have equal cards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from psyllm.core.records import Record
from psyllm.core.stages import Manifest
from psyllm.corpus.card_reviews import reviews_lines, reviews_of
from psyllm.corpus.overlaps import Overlap
from psyllm.corpus.split import SPLITS
from psyllm.corpus.terms import terms

_TABLES = (("kinds", "Kind"), ("sources", "Source"), ("licences", "Licence"), ("levels", "Level of danger"))


def count_split(records: Iterable[Record]) -> dict[str, Any]:
    """Return the counts of one split."""
    kinds: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    levels: Counter[str] = Counter()
    amounts: Counter[str] = Counter({"records": 0, "characters": 0, "turns": 0, "answers": 0})
    for record in records:
        kinds[record.kind] += 1
        sources[record.source] += 1
        licences[record.licence] += 1
        levels.update(flag.removeprefix("level:") for flag in record.flags if flag.startswith("level:"))
        amounts["records"] += 1
        amounts["characters"] += sum(len(text) for text in record.texts())
        amounts["turns"] += len(record.turns)
        amounts["answers"] += len(record.answers)
    by = {"kinds": kinds, "sources": sources, "licences": licences, "levels": levels}
    return {**amounts, **{name: dict(sorted(counts.items())) for name, counts in by.items()}}


def make_card(
    *,
    splits: Mapping[str, Mapping[str, Any]],
    cleaned: Manifest,
    overlaps: Mapping[str, Overlap],
    groups: Mapping[str, int],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the card as plain values."""
    return {
        "splits": {name: dict(counts) for name, counts in splits.items()},
        "groups": dict(groups),
        "overlaps": {name: overlap._asdict() for name, overlap in overlaps.items()},
        "cleaning": {"run": cleaned.run, "counts": cleaned.counts, "drops": cleaned.drops, **cleaned.details},
        "reviews": reviews_of(cleaned),
        "terms": [term._asdict() for term in terms(splits["train"]["licences"])],
        "settings": dict(settings),
        "seeds": {"split": settings["seed"], **cleaned.seeds},
    }


def as_markdown(card: Mapping[str, Any]) -> str:
    """Return the card for people."""
    lines = ["# Data card", "", "Made by `psyllm corpus`; the same figures are in `card.json`.", ""]
    lines += ["## Splits", "", *_splits_table(card["splits"]), ""]
    for name, title in _TABLES:
        rows = sorted({row for counts in card["splits"].values() for row in counts[name]})
        cells = [[row, *(f"{card['splits'][side][name].get(row, 0):,}" for side in SPLITS)] for row in rows]
        lines += [f"### {title}", "", *_table([title, *SPLITS], cells), ""]
    lines += ["## Groups", "", *_groups_lines(card["groups"]), ""]
    lines += ["## Overlaps between splits", "", *_overlap_lines(card["overlaps"]), ""]
    lines += ["## Left out by cleaning", "", *_cleaning_lines(card["cleaning"]), ""]
    lines += ["## Reviewed by people", "", *reviews_lines(card.get("reviews", {})), ""]
    lines += ["## Terms", "", "Licences of the training texts, the strictest first. No legal advice.", ""]
    lines += [*_table(["Licence", "Asks"], [[term["licence"], term["asks"]] for term in card["terms"]]), ""]
    lines += ["## Seeds and settings", ""]
    values = {**{f"seed of {name}": value for name, value in card["seeds"].items()}, **card["settings"]}
    lines += [*_table(["Name", "Value"], [[name, str(value)] for name, value in values.items()]), ""]
    return "\n".join(lines)


def _splits_table(splits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    amounts = ("records", "characters", "turns", "answers")
    return _table(
        ["Split", *amounts], [[side, *(f"{splits[side][name]:,}" for name in amounts)] for side in SPLITS]
    )


def _groups_lines(groups: Mapping[str, int]) -> list[str]:
    return [
        f"Records that belong together stay on one side: {groups['groups']:,} groups.",
        f"The largest has {groups['largest']:,} records.",
        f"Groups above {groups['largest_held_out']:,} records are trained on.",
        f"Left out because they may not be trained on: {groups['may_not_train']:,} records.",
    ]


def _overlap_lines(overlaps: Mapping[str, Mapping[str, int]]) -> list[str]:
    rows = [
        [name.replace("_", " "), *(f"{overlap[key]:,}" for key in Overlap._fields)]
        for name, overlap in overlaps.items()
    ]
    return [
        "Openings of one side looked for in every text of another, by a check that shares nothing with the splitter.",
        "",
        *_table(["Sides", *(field.replace("_", " ") for field in Overlap._fields)], rows),
    ]


def _cleaning_lines(cleaning: Mapping[str, Any]) -> list[str]:
    counts = cleaning["counts"]
    lines = [
        f"Read {counts['read']:,} records, kept {counts['records']:,}, left out {counts['dropped']:,}.",
        "",
    ]
    lines += [*_table(["Reason", "records"], [[name, f"{n:,}"] for name, n in cleaning["drops"].items()]), ""]
    mended = [[name, f"{n:,}"] for name, n in cleaning.get("mended", {}).items()]
    masked = [[name, f"{n:,}"] for name, n in cleaning.get("personal_data_masked", {}).items()]
    return [*lines, *_table(["Mended by", "records"], mended), "", *_table(["Masked", "places"], masked)]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return ["None."]
    safe = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (head, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in safe]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]
