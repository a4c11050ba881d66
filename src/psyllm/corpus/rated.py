"""Rated answers beside the splits: each goes where the records go that it belongs to.

The rated answers of the cleaned run come in, grouped with all records; `ratings-train-*`,
`ratings-dev-*` and `ratings-test-*` go out. What dev and test ask is asked by no
rating that is learnt from, by the same rules as for records: one group, one side,
and nothing that shares much with what is measured on. An answer that names help is
not unlearnt because somebody in distress marked it down, who may not have wanted to
hear it. Nothing is learnt here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from psyllm.core.errors import LostRecords
from psyllm.core.rated_answers import RatedAnswer, rated_prefix, read_rated, tally_of, write_rated
from psyllm.core.records import records_to_batch
from psyllm.core.settings import CorpusSettings
from psyllm.corpus.attending import attends
from psyllm.corpus.columns import TEXT_COLUMNS
from psyllm.corpus.crisis import LEVEL_FLAG
from psyllm.corpus.decontaminate import Limits, Questions, contaminated
from psyllm.corpus.grouping import Grouping
from psyllm.corpus.split import SPLITS, Split, position, side_at
from psyllm.text.hashed_ngrams import Hashes

HELP_RATED_LOW = "names_help_but_rated_low"
HELD_OUT: tuple[Split, ...] = ("test", "dev")


def without_rated(grouping: Grouping, rated: int) -> Grouping:
    """Return the groups of the records alone; the last so many entries are rated answers."""
    if not rated:
        return grouping
    records = len(grouping.entries) - rated
    groups = [[place for place in group if place < records] for group in grouping.groups]
    return Grouping(grouping.entries[:records], [group for group in groups if group])


def sides_of_rated(grouping: Grouping, sides: Sequence[Split | None], settings: CorpusSettings) -> list[str]:
    """Return the side of each rated answer: that of a record of its group, else by the group's own hash.

    `sides` are those of the records, which stand before the rated answers. Where there are groups of
    rated answers alone, dev and test have one each if there are three.
    """
    found: dict[int, Split] = {}
    alone: list[tuple[float, list[int]]] = []
    for group in grouping.groups:
        mine = [place for place in group if place >= len(sides)]
        known = next((side for place in group if place < len(sides) and (side := sides[place])), None)
        if mine and known is None:
            alone.append((position(group, grouping.entries, settings.seed), mine))
        elif known is not None:
            found |= dict.fromkeys(mine, known)
    found |= _sides_alone(sorted(alone), settings)
    return [found[place] for place in range(len(sides), len(grouping.entries))]


def _sides_alone(alone: Sequence[tuple[float, list[int]]], settings: CorpusSettings) -> dict[int, Split]:
    """Return the sides of groups that hold no record, in the order of their positions."""
    chosen = [side_at(place, settings) for place, _ in alone]
    shares = {"test": settings.test_share, "dev": settings.dev_share}
    if len(alone) > len(HELD_OUT):
        for side in HELD_OUT:
            if shares[side] and side not in chosen and "train" in chosen:
                chosen[chosen.index("train")] = side
    return {place: side for side, (_, group) in zip(chosen, alone, strict=True) for place in group}


def leave_out_measured(
    rated: Sequence[RatedAnswer],
    words: list[str],
    side: str,
    measured: Callable[[], Iterator[Hashes]],
    questions: Questions,
    settings: CorpusSettings,
) -> None:
    """Change the words of a side's rated answers that share much with what is measured on.

    What our own dev and test ask was kept apart by the groups already: here it is answers, too, and
    `questions` of the sets of others.
    """
    places = [place for place, word in enumerate(words) if word == side]
    if not places:
        return
    batch = records_to_batch([rated[place].record for place in places])
    reasons = contaminated(
        lambda: iter([_texts(batch)]),
        measured,
        questions,
        Limits(settings.most_shared_13grams, settings.most_of_an_item),
        len(places),
    )
    for among, reason in reasons.items():
        words[places[among]] = reason


def write_rated_sides(
    rated: Sequence[RatedAnswer], words: Sequence[str], folder: Path
) -> tuple[int, dict[str, int]]:
    """Write the rated answers of each side; return how many, and why how many others are left out.

    Raises:
        LostRecords: a row has no word.
    """
    if len(rated) != len(words):
        message = f"{len(rated):,} rated answers came in, {len(words):,} are accounted for"
        raise LostRecords(message, "this is a fault of psyllm: report it with these numbers")
    final = [
        HELP_RATED_LOW if _is_help_rated_low(row) else word for row, word in zip(rated, words, strict=True)
    ]
    written = 0
    for side in SPLITS:
        mine = [row for row, word in zip(rated, final, strict=True) if word == side]
        written += write_rated(mine, folder, prefix=rated_prefix(side))
    return written, dict(sorted(Counter(word for word in final if word not in SPLITS).items()))


def _is_help_rated_low(row: RatedAnswer) -> bool:
    """Return whether somebody in distress marked down an answer that names help.

    Only there: of the 442 bundled answers 382 name somebody to turn to, and else none could be unlearnt.
    """
    in_distress = any(flag.startswith(LEVEL_FLAG) for flag in row.record.flags)
    return in_distress and not row.desirable and attends(row.answer())


def count_rated(folder: Path, left_out: Mapping[str, int]) -> dict[str, Any]:
    """Return what the data card tells of the rated answers of a corpus; nothing where nobody rated."""
    tallies = {side: tally_of(read_rated(folder, prefix=rated_prefix(side))) for side in SPLITS}
    if not left_out and not any(tally.raters for tally in tallies.values()):
        return {}
    counts: dict[str, Any] = {
        side: {"answers": tally.desirable + tally.undesirable, **tally._asdict()}
        for side, tally in tallies.items()
    }
    return {**counts, "left_out": dict(left_out)}


def _texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    chosen: pa.RecordBatch = batch.select(list(TEXT_COLUMNS))
    return chosen
