"""A base checkpoint by the content of its files, so that another one in its place is told apart.

A folder comes in; a hash over the files that make the model goes out. It is what
the manifest of a model trained from it names. What was measured of it is written beside
it later and is no part of it. Nothing here loads a model.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from psyllm.core.progress import track
from psyllm.core.stages import file_hash

MARKS_FILE = "marks.json"  # see `core.embedded`
# .jinja: what a model is asked with is learnt with it
SUFFIXES = frozenset({".json", ".safetensors", ".bin", ".model", ".txt", ".jinja"})


def base_hash(folder: Path) -> str:
    """Return the hash of a checkpoint folder's files, their names included."""
    files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.name != MARKS_FILE)
    listing = "\n".join(f"{path.name} {file_hash(path)}" for path in track(files, "reading the base"))
    return hashlib.sha256(listing.encode()).hexdigest()
