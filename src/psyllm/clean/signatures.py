"""What finding duplicates has to know of a record, as arrays on disk: 166 bytes a record.

Records of a shard come in; arrays go out: the 16 band keys of its character
5-grams (white space left out), its content hash, its kind, its worth (which
of two duplicates stays) and whether people keep it beside near ones. Nothing is compared here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psyllm.clean.steps import LEVEL_FLAG
from psyllm.core.records import Record
from psyllm.safety.levels import Level
from psyllm.text.hashed_ngrams import ngrams_in_order, without_space
from psyllm.text.minhash import BANDS, band_keys

KINDS = ("document", "question", "dialogue")
_LENGTH_BITS = 48
_LEVEL_BITS = 3
_REVIEWED = 4
# Just below whatever was reviewed: what people rejected stands for all that nobody read.
REJECTED_WORTH = ((_REVIEWED << _LEVEL_BITS) << _LENGTH_BITS) - 1


class Signatures(NamedTuple):
    """Rows are records: keys (16, n), hashes (n, 2), kinds (n), worths (n), apart (n)."""

    keys: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    worths: NDArray[np.uint64]
    apart: NDArray[np.bool_]


def sign(records: Sequence[Record], content_hashes: Sequence[str], apart: Sequence[int] = ()) -> Signatures:
    """Return the signatures of some records; those at the places `apart` have no near duplicates."""
    texts = [compared_text(record) for record in records]
    keys = band_keys(ngrams_in_order(texts)) if records else np.empty((0, BANDS), np.uint64)
    hashes = b"".join(bytes.fromhex(content)[:16] for content in content_hashes)
    return Signatures(
        np.ascontiguousarray(keys.T),
        np.frombuffer(hashes, dtype=np.uint64).reshape(-1, 2),
        np.array([KINDS.index(record.kind) for record in records], dtype=np.uint8),
        np.array([_worth(record, len(text)) for record, text in zip(records, texts, strict=True)], np.uint64),
        np.isin(np.arange(len(records)), np.array(apart, dtype=np.int64)),
    )


def compared_text(record: Record) -> str:
    """Return the text whose n-grams are compared."""
    return without_space("".join(record.texts()))


def joined(parts: Sequence[Signatures]) -> Signatures:
    """Return the signatures of all parts in one."""
    if not parts:
        return sign((), ())
    keys, hashes, kinds, worths, apart = zip(*parts, strict=True)
    return Signatures(
        np.concatenate(keys, axis=1),
        np.concatenate(hashes),
        np.concatenate(kinds),
        np.concatenate(worths),
        np.concatenate(apart),
    )


def save(folder: Path, signatures: Signatures) -> None:
    """Write one array a file."""
    for name, values in signatures._asdict().items():
        np.save(folder / f"{name}.npy", values)


def load(folder: Path, name: str) -> NDArray[np.uint64]:
    """Return one array of a folder, read from disk as it is used."""
    values: NDArray[np.uint64] = np.load(folder / f"{name}.npy", mmap_mode="r")
    return values


def _worth(record: Record, length: int) -> int:
    """Return a number that is greater for what should stay: reviewed, shown, trained on, in danger, longer."""
    is_reviewed = bool(record.reviewed_by) or any(answer.reviewed_by for answer in record.answers)
    rank = _REVIEWED * is_reviewed + 2 * record.may_show + record.may_train
    return (((rank << _LEVEL_BITS) + _level(record)) << _LENGTH_BITS) + length


def _level(record: Record) -> int:
    flagged = (flag for flag in record.flags if flag.startswith(LEVEL_FLAG))
    return max((Level.of(flag.removeprefix(LEVEL_FLAG)) for flag in flagged), default=Level.NONE)
