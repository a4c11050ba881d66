"""Rows that are made once: kept in the run's folder until the run is finished.

In: a key of all that rows depend on, and how to make them. Out: the rows, from
the disk where the same ones lie there, so that a resumed run encodes nothing
again. They are people's words as numbers, so they stay inside the folder of the
unfinished run, which `psyllm forget` removes, and go when the run is finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from psyllm.lm.pack import Rows

FOLDER = "rows"


def prepared(run: Path, name: str, key: Mapping[str, object], make: Callable[[], Rows]) -> Rows:
    """Return the rows of this name and key, made now or before; they are read from the disk as they are needed."""
    mark = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    folder = run / FOLDER / f"{name}-{mark}"
    if not folder.is_dir():
        rows = make()
        half = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        for field, array in rows._asdict().items():
            np.save(half / f"{field}.npy", array)
        half.rename(folder)
    return Rows(*(_read(folder / f"{field}.npy") for field in Rows._fields))


def drop_prepared(run: Path) -> None:
    """Delete all rows of a run."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


def _read(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    empty = path.stat().st_size <= 128  # an empty array, that is a header alone, can't be mapped
    array: np.ndarray[tuple[int, ...], np.dtype[np.int32]] = np.load(path, mmap_mode=None if empty else "r")
    return array
