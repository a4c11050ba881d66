"""Which side each group goes to: train, dev or test.

Groups come in, a split for every record goes out. A group's side follows from
a hash of its first id and the seed, so that it stays where it is when others
come or go. Three rules stand above the hash: a group much larger than others
is trained on (else one question would fill a test), small corpora get at
least a few dev and test questions, and what may not be trained on is in test
or nowhere (dev chooses the model, so it counts as training here).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from psyllm.core.errors import BadSetting, EmptyCorpus
from psyllm.core.settings import CorpusSettings
from psyllm.corpus.grouping import Entry, Grouping

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
FEWEST_GROUPS = 3  # in dev and in test, if the corpus has at least as many of the kind
LARGEST_SHARE = 0.1  # of the records that a held-out split should have; larger groups are trained on
LARGEST_RECORDS = 10  # and that is never fewer


def split(grouping: Grouping, settings: CorpusSettings) -> list[Split | None]:
    """Return the split of each record, None for what may not be used where its group is.

    Raises:
        BadSetting: dev and test would take everything.
        EmptyCorpus: a side would be empty; says why.
    """
    if settings.dev_share + settings.test_share >= 1:
        message = (
            f"corpus.dev_share and corpus.test_share add up to {settings.dev_share + settings.test_share:g}"
        )
        raise BadSetting(message, "leave something to train on, for example --set corpus.test_share=0.1")
    sides = _sides(grouping, settings)
    found: list[Split | None] = [None] * len(grouping.entries)
    for group, side in zip(grouping.groups, sides, strict=True):
        for place in group:
            if side == "test" or grouping.entries[place].may_train:
                found[place] = side
    _refuse_empty(found, grouping, settings)
    return found


def side_at(place: float, settings: CorpusSettings) -> Split:
    """Return the side of a group's position, 0 to 1."""
    if place < settings.test_share:
        return "test"
    return "dev" if place < settings.test_share + settings.dev_share else "train"


def largest_held_out(records: int, settings: CorpusSettings) -> int:
    """Return the size of the largest group that may be in dev or test, in records."""
    smaller_share = min(share for share in (settings.dev_share, settings.test_share, 1.0) if share > 0)
    return max(LARGEST_RECORDS, int(LARGEST_SHARE * smaller_share * records))


def _sides(grouping: Grouping, settings: CorpusSettings) -> list[Split]:
    positions = [position(group, grouping.entries, settings.seed) for group in grouping.groups]
    largest = largest_held_out(len(grouping.entries), settings)
    sides: list[Split] = []
    for group, place in zip(grouping.groups, positions, strict=True):
        sides.append("train" if len(group) > largest else side_at(place, settings))
    movable = [index for index, group in enumerate(grouping.groups) if len(group) <= largest]
    for is_asked in (True, False):
        same_kind = [i for i in movable if _is_asked(grouping.groups[i], grouping.entries) == is_asked]
        in_order = sorted(same_kind, key=lambda index: positions[index])
        _fill_up(sides, in_order, "test", settings.test_share)
        _fill_up(sides, [i for i in in_order if _may_train(grouping, i)], "dev", settings.dev_share)
    return sides


def _fill_up(sides: list[Split], in_order: Sequence[int], side: Split, share: float) -> None:
    """Move groups from train to a side that has too few, the nearest to it first."""
    if share == 0 or len(in_order) < FEWEST_GROUPS:
        return
    wanted = min(FEWEST_GROUPS, max(1, round(share * len(in_order))))
    lacking = wanted - sum(sides[index] == side for index in in_order)
    for index in [index for index in in_order if sides[index] == "train"][: max(0, lacking)]:
        sides[index] = side


def position(group: list[int], entries: list[Entry], seed: int) -> float:
    """Return a number from 0 to 1 that only the group's first id and the seed decide."""
    first = min(entries[place].id for place in group)
    digest = hashlib.sha256(f"{seed}:{first}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _is_asked(group: list[int], entries: list[Entry]) -> bool:
    return any(entries[place].kind != "document" for place in group)


def _may_train(grouping: Grouping, index: int) -> bool:
    return any(grouping.entries[place].may_train for place in grouping.groups[index])


def _refuse_empty(found: list[Split | None], grouping: Grouping, settings: CorpusSettings) -> None:
    if not any(entry.may_train for entry in grouping.entries):
        message = f"none of {len(found):,} records may be trained on"
        next_step = "collect a source whose licence allows it: psyllm collect import PATH --name NAME --licence LICENCE"
        raise EmptyCorpus(message, next_step)
    shares = {"train": 1.0, "dev": settings.dev_share, "test": settings.test_share}
    empty = [side for side in SPLITS if shares[side] > 0 and side not in found]
    if empty:
        message = (
            f"{len(found):,} records in {len(grouping.groups):,} groups that belong together "
            f"leave nothing for: {', '.join(empty)}"
        )
        raise EmptyCorpus(
            message, "collect more records: psyllm collect import PATH --name NAME --licence LICENCE"
        )
