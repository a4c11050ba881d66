"""No source may drown the others: how many records of each are taken.

Counts by source and the caps of the settings come in; the most of each source
goes out, and which records these are, by a hash of id and seed, so that the
same ones are taken whatever else comes or goes. A cap from 1 on is a number of
records, one below 1 the share of all that is taken. How much general text a
training stage sees is no matter of records but of tokens, and is `train`'s
(`train.general_share`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from psyllm.core.errors import BadSetting

_ROUNDS = 1000  # each takes at least one record away; shares near 1 come to rest long before


def most_of_each(counts: Mapping[str, int], caps: Mapping[str, float]) -> dict[str, int]:
    """Return how many records of each source may be taken.

    Raises:
        BadSetting: a cap names no source, or shares that leave nothing.
    """
    unknown = sorted(set(caps) - set(counts))
    if unknown:
        message = f"corpus.caps names {unknown[0]!r}; there are: {', '.join(sorted(counts))}"
        raise BadSetting(message, "name a source that was collected, or take the cap away")
    most = {name: min(count, int(caps.get(name, count))) for name, count in counts.items()}
    most |= {name: counts[name] for name, cap in caps.items() if cap < 1}
    shares = {name: cap for name, cap in caps.items() if cap < 1}
    for _ in range(_ROUNDS):
        total = sum(most.values())
        lower = {name: min(most[name], int(share * total)) for name, share in shares.items()}
        if all(lower[name] == most[name] for name in shares):
            break
        most |= lower
    if counts and sum(most.values()) == 0:
        message = f"every source has a share in corpus.caps (together {sum(shares.values()):g}), which leaves nothing"
        raise BadSetting(message, "leave one source without a cap, or give it a number of records")
    return most


def above_cap(ids: Sequence[str], most: int, seed: int) -> list[int]:
    """Return the places of the records of one source that are too many, in order."""
    if len(ids) <= most:
        return []
    by_hash = sorted(range(len(ids)), key=lambda place: _order(ids[place], seed))
    return sorted(by_hash[most:])


def _order(record_id: str, seed: int) -> bytes:
    # Not the hash that splits go by: else what is taken would all be on one side.
    return hashlib.sha256(f"cap:{seed}:{record_id}".encode()).digest()
