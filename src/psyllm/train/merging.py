"""An adapter and its base become one model: `psyllm train merge`.

In: two folders. Out: a new folder that evaluate, serve and export take. An
adapter of ours names its base by the content of its files and is merged into
no other. One from elsewhere is merged as it is told, and the result says that
nobody knows what it may be used for. Nothing here trains.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from psyllm.core.descent import mark_of_descent
from psyllm.core.errors import BadCheckpoint
from psyllm.core.permits import BASE
from psyllm.core.stages import Parent
from psyllm.lm.checkpoint import load_weights, quiet_transformers, save
from psyllm.lm.export import MOST_BYTES_A_WEIGHT, copy_all_but_weights, new_folder
from psyllm.lm.folder import check_tokenizer
from psyllm.lm.int8 import INT8_FILE
from psyllm.lm.model_card import CARD_FILE, ModelCard, read_card, read_config, write_card
from psyllm.lm.tokenizer import read_tokenizer
from psyllm.train.adapters import merge, with_rows_for
from psyllm.train.ancestry import base_parent


def merge_folders(base: Path, adapter: Path, target: Path) -> None:
    """Write the base with the adapter merged in, in fp32, to a new folder.

    Raises:
        BadCheckpoint: either can't be used, or the adapter was trained on another base.
        BadInput: the new folder holds something.
        DiskFull: it would not fit.
        MissingFile: there is no such base.
    """
    (named,) = base_parent(base)
    config = read_config(base)
    card = read_card(adapter)
    if card is not None:
        _check_base(card, adapter, base, named.content_hash)
    else:
        check_tokenizer(base, read_tokenizer(base).size, int(config.get("vocab_size", 0)))
    wanted = sum(path.stat().st_size for path in base.iterdir() if path.is_file())
    # it is written in fp32, and the base may be held in half precision or int8
    grows = MOST_BYTES_A_WEIGHT if (base / INT8_FILE).is_file() else 2
    with new_folder(target, wanted_bytes=grows * wanted) as folder:
        if card is not None:
            _merge_ours(base, adapter, folder, card)
        else:
            _merge_foreign(base, adapter, folder, named)


def _check_base(card: ModelCard, adapter: Path, base: Path, content_hash: str) -> None:
    parents: list[Any] = card.lineage.get("parents", [])
    wanted = next((parent for parent in parents if parent.get("stage") == BASE), None)
    if wanted is not None and wanted.get("content_hash") != content_hash:
        message = f"the adapter {adapter} was trained on another base than {base}: on {wanted.get('run')}"
        raise BadCheckpoint(message, "name that base with --base FOLDER; not a file of it may have changed")


def _merge_ours(base: Path, adapter: Path, folder: Path, card: ModelCard) -> None:
    tokenizer = read_tokenizer(adapter)
    model = merge(with_rows_for(tokenizer, load_weights(base)), adapter)
    save(folder, model, tokenizer, context_tokens=card.context_tokens, lineage=card.lineage)
    shutil.copyfile(adapter / CARD_FILE, folder / CARD_FILE)


def _merge_foreign(base: Path, adapter: Path, folder: Path, named: Parent) -> None:
    model = merge(load_weights(base), adapter)
    with quiet_transformers():
        model.save_pretrained(folder)
    copy_all_but_weights(base, folder)
    card = read_card(base)
    if card is not None:  # it answers as its base did, but who knows on what the adapter was trained
        told = {
            "run": adapter.name,
            "permit": None,
            "parents": [named.model_dump()],
            "unknown": [adapter.name],
            "base": named.run,
            "base_lineage": card.lineage,
            **mark_of_descent(base, named.run, card.lineage),
        }
        write_card(folder, card.model_copy(update={"lineage": told}))
