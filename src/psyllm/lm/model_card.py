"""`psyllm.json`, the note beside a checkpoint, and what can be checked without loading it.

In: a checkpoint folder. Out: its card, or a clear error when files are missing
or the tokenizer is another model's. The card holds the template's version, the
tokenizer's hash, the longest row and where the model comes from. Nothing here
imports torch, so the service can check a folder before it starts the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from psyllm.core.errors import BadCheckpoint, TokenizerMismatch
from psyllm.core.records import Frozen
from psyllm.lm.template import SPECIAL_TOKENS, TEMPLATE_VERSION
from psyllm.lm.tokenizer import TOKENIZER_FILE, read_tokenizer, tokenizer_hash

CARD_FILE = "psyllm.json"
CONFIG_FILE = "config.json"
RETRAIN = "make the model again with psyllm train, or name the folder that the tokenizer came with"


class ModelCard(Frozen):
    """What a checkpoint made here says about itself."""

    template_version: str = TEMPLATE_VERSION
    tokenizer_sha256: str
    vocabulary: int
    context_tokens: int
    lineage: dict[str, Any] = Field(default_factory=dict)


def write_card(folder: Path, card: ModelCard) -> None:
    """Write psyllm.json."""
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=1) + "\n", "utf-8")


def read_card(folder: Path) -> ModelCard | None:
    """Return the card, None where there is none (a checkpoint from elsewhere).

    Raises:
        BadCheckpoint: the card can't be read.
    """
    path = folder / CARD_FILE
    try:
        return ModelCard.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError) as error:
        message = f"{path} is not a model card"
        raise BadCheckpoint(message, RETRAIN) from error


def check_folder(folder: Path) -> ModelCard:
    """Return the card of a model that can answer.

    Raises:
        BadCheckpoint: a file is missing or unreadable, or the template is another version's.
        TokenizerMismatch: the tokenizer is not the one the model was trained with.
    """
    config = read_config(folder)
    tokenizer = read_tokenizer(folder)
    card = read_card(folder)
    if card is None:
        message = f"{folder} has no {CARD_FILE}: it was not trained for dialogues here"
        raise BadCheckpoint(message, f"train on it first: psyllm train --set train.base={folder}")
    if card.template_version != TEMPLATE_VERSION:
        message = f"{folder} was trained with template {card.template_version}, this is {TEMPLATE_VERSION}"
        raise BadCheckpoint(message, RETRAIN)
    check_tokenizer(folder, tokenizer.size, int(config.get("vocab_size", 0)))
    for token in SPECIAL_TOKENS:
        tokenizer.mark(token)
    return card


def check_tokenizer(folder: Path, pieces: int, rows: int) -> None:
    """Refuse a tokenizer that is not the model's.

    Raises:
        TokenizerMismatch: it has more pieces than the model has rows, or another hash than the card names.
    """
    if pieces > rows:
        message = f"{folder}: the tokenizer has {pieces} pieces, the model knows {rows}"
        raise TokenizerMismatch(message, RETRAIN)
    card = read_card(folder)
    found = tokenizer_hash(folder)
    if card is not None and found != card.tokenizer_sha256:
        message = (
            f"{folder / TOKENIZER_FILE} has hash {found[:12]}, the model was trained with "
            f"{card.tokenizer_sha256[:12]}"
        )
        raise TokenizerMismatch(message, RETRAIN)


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json.

    Raises:
        BadCheckpoint: the folder, config.json or the weights are missing or broken.
    """
    next_step = "name a folder that holds config.json, model.safetensors and tokenizer.json"
    if not folder.is_dir():
        message = f"there is no model folder {folder}"
        raise BadCheckpoint(message, "run: psyllm train")
    try:
        config = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
    except FileNotFoundError:
        message = f"{folder} has no {CONFIG_FILE}"
        raise BadCheckpoint(message, next_step) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        message = f"{folder / CONFIG_FILE} is not valid JSON"
        raise BadCheckpoint(message, next_step) from error
    if not isinstance(config, dict):
        message = f"{folder / CONFIG_FILE} does not hold a model's settings"
        raise BadCheckpoint(message, next_step)
    return config
