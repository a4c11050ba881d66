"""How a checkpoint that a model starts from is named: by the content of its files.

In: a folder. Out: a parent for the manifest and the card, so that an adapter
is never merged into another base than the one it was trained on. Nothing here
loads a weight.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from psyllm.core.errors import MissingFile
from psyllm.core.permits import BASE
from psyllm.core.progress import track
from psyllm.core.stages import Parent, file_hash

BASE_SUFFIXES = frozenset({".json", ".safetensors", ".bin", ".model", ".txt"})


def base_parent(folder: Path) -> Parent:
    """Name a base checkpoint by the content of its files.

    Raises:
        MissingFile: there is no such folder.
    """
    if not folder.is_dir():
        message = f"the base checkpoint {folder} does not exist"
        raise MissingFile(message, "name a local checkpoint folder: --set train.base=FOLDER")
    files = sorted(path for path in folder.iterdir() if path.suffix in BASE_SUFFIXES)
    listing = "\n".join(f"{path.name} {file_hash(path)}" for path in track(files, "reading the base"))
    content_hash = hashlib.sha256(listing.encode()).hexdigest()
    return Parent(stage=BASE, run=folder.name, content_hash=content_hash)
