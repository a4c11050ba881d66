"""The data card: what is in a corpus, where it is from, what was left out and why.

Counts come in as the splits are written and from the manifest of cleaning; the
card goes out as JSON for programs and as Markdown for people. It holds no text
of a record and no time, so that equal corpora have equal cards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from psyllm.core.rated_answers import RATINGS
from psyllm.core.records import Record
from psyllm.core.stages import Manifest
from psyllm.corpus.card_reviews import reviews_lines, reviews_of
from psyllm.corpus.overlaps import Overlap
from psyllm.corpus.split import SPLITS, Split
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
    splits: Mapping[Split, Mapping[str, Any]],
    cleaned: Manifest,
    overlaps: Mapping[str, Overlap],
    groups: Mapping[str, int],
    settings: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the card as plain values; `facts` are further sections that are told as they are."""
    return {
        "splits": {name: dict(counts) for name, counts in splits.items()},
        "groups": dict(groups),
        "overlaps": {name: overlap._asdict() for name, overlap in overlaps.items()},
        "cleaning": {"run": cleaned.run, "counts": cleaned.counts, "drops": cleaned.drops, **cleaned.details},
        "reviews": reviews_of(cleaned),
        "terms": [term._asdict() for term in terms(_licences(splits))],
        "settings": dict(settings),
        "seeds": {"split": settings["seed"], **cleaned.seeds},
        **(facts or {}),
    }


def as_markdown(card: Mapping[str, Any]) -> str:
    """Return the card for people."""
    lines = ["# Data card", "", "Made by `psyllm corpus`; the same figures are in `card.json`.", ""]
    if card.get("takedown"):
        lines += [f"Who wants words of theirs taken out writes to: {card['takedown']}", ""]
    lines += ["## Splits", "", *_splits_table(card["splits"]), ""]
    for name, title in _TABLES:
        rows = sorted({row for counts in card["splits"].values() for row in counts[name]})
        cells = [[row, *(f"{card['splits'][side][name].get(row, 0):,}" for side in SPLITS)] for row in rows]
        lines += [f"### {title}", "", *_table([title, *SPLITS], cells), ""]
    lines += ["## Groups", "", *_groups_lines(card["groups"]), ""]
    lines += _left_out_section(card)
    lines += _crises_section(card)
    lines += _ratings_section(card)
    lines += [
        "## Overlaps between splits",
        "",
        *_overlap_lines(card["overlaps"]),
        *_looked_at_lines(card),
        "",
    ]
    lines += ["## Left out by cleaning", "", *_cleaning_lines(card["cleaning"]), ""]
    lines += ["## Reviewed by people", "", *reviews_lines(card.get("reviews", {})), ""]
    lines += [
        "## Terms",
        "",
        "Licences of the texts on every side, the strictest first. No legal advice.",
        "",
    ]
    lines += [*_table(["Licence", "Asks"], [[term["licence"], term["asks"]] for term in card["terms"]]), ""]
    lines += _permit_section(card)
    lines += ["## Seeds and settings", ""]
    values = {**{f"seed of {name}": value for name, value in card["seeds"].items()}, **card["settings"]}
    lines += [*_table(["Name", "Value"], [[name, str(value)] for name, value in values.items()]), ""]
    return "\n".join(lines)


def _licences(splits: Mapping[Split, Mapping[str, Any]]) -> set[str]:
    """Return the licences of all sides: what is only measured on is handed on all the same."""
    return {licence for counts in splits.values() for licence in counts["licences"]}


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


def _left_out_section(card: Mapping[str, Any]) -> list[str]:
    if "left_out" not in card:
        return []
    rows = [[reason, f"{count:,}"] for reason, count in card["left_out"].items()]
    ended = [f"The agreement of {source} ended on {day}." for source, day in card.get("ended", {}).items()]
    items = [f"{name}: {count:,} items were looked for." for name, count in card["evaluation_items"].items()]
    lines = [
        "## Left out here",
        "",
        f"Of {card['read']:,} cleaned records:",
        "",
        *_table(["Reason", "records"], rows),
    ]
    return [*lines, "", *ended, *items, ""]


def _ratings_section(card: Mapping[str, Any]) -> list[str]:
    """Tell of the rated answers, of which preferences are learnt and nothing else."""
    if RATINGS not in card:
        return []
    told = card[RATINGS]
    names = ("answers", "desirable", "undesirable", "raters")
    rows = [[side, *(f"{told[side][name]:,}" for name in names)] for side in SPLITS]
    left_out = [f"Left out as {reason}: {count:,}." for reason, count in told["left_out"].items()]
    return ["## Rated answers", "", *_table(["Split", *names], rows), "", *left_out, ""]


def _crises_section(card: Mapping[str, Any]) -> list[str]:
    if "crises" not in card:
        return []
    names = sorted({name for counts in card["crises"].values() for name in counts})
    rows = [
        [name.replace("_", " "), *(f"{card['crises'][side].get(name, 0):,}" for side in SPLITS)]
        for name in names
    ]
    told = [
        "Records in which somebody speaks of danger, by whether a reply attends to it. Unless all are kept,",
        "two more kinds are left out: unreviewed is urgent danger with a reply that nobody reviewed; not",
        "found is danger that was flagged and that the words, masked since, don't show. The replies of the",
        "protocol were written for this project; no clinician has reviewed them.",
    ]
    return ["## Crises", "", *told, *protocol_share(card), "", *_table(["Reply", *SPLITS], rows), ""]


def protocol_share(card: Mapping[str, Any]) -> list[str]:
    """Return the sentence that says how much of training ends in the protocol's texts; none where nothing does."""
    answered = card["crises"].get("train", {}).get("reanswered", 0)
    records = card["splits"]["train"]["records"]
    if not answered or not records:
        return []
    return [f"{answered:,} of {records:,} training records ({answered / records:.1%}) end in one of them."]


def _looked_at_lines(card: Mapping[str, Any]) -> list[str]:
    lines = []
    looked = card.get("looked_at", {})
    if any(share < 1 for share in looked.values()):
        lines += [
            "",
            f"Looked at in part: {looked['openings']:.1%} of openings, {looked['texts']:.1%} of texts.",
        ]
    authors = card.get("authors")
    if authors and authors["author_known"]:
        lines += [
            "",
            f"Of {authors['author_known']:,} test answers whose author is known, {authors['share']:.1%}",
        ]
        lines += ["are by somebody who also wrote what is trained on."]
    elif authors:
        lines += ["", "No author of a test answer is known, so nothing is known of authors on both sides."]
    return lines


def _permit_section(card: Mapping[str, Any]) -> list[str]:
    if "permit" not in card:
        return []
    permit = card["permit"]
    fields = ("source", "licence", "uses", "expires", "agreement")
    rows = [
        [row[name][:12] if name == "agreement" else row[name] or "-" for name in fields]
        for row in permit["sources"]
    ]
    return [
        (
            f"All together: uses {permit['uses'].replace('_', ' ')}, until {permit['expires'] or 'no end'}"
            f"{', shared under the same terms' if permit['share_alike'] else ''}."
        ),
        "A model trained on this corpus inherits it.",
        "",
        *_table([name.capitalize() for name in fields], rows),
        "",
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
    flags = [[name, f"{n:,}"] for name, n in cleaning.get("flags", {}).items()]
    tables = (("Mended by", "records", mended), ("Masked", "places", masked), ("Flag", "records", flags))
    for title, amount, rows in tables:
        lines += [*_table([title, amount], rows), ""]
    return lines


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return ["None."]
    safe = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (head, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in safe]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]
