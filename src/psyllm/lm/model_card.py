"""`psyllm.json`, the note beside a checkpoint, and the other small files of its folder.

In: a checkpoint folder. Out: its card and its settings, or a clear error. The
card holds the template's version, and its wording where that came from the
base; the tokenizer's hash, the ids that fill and end, the longest row and where
the model comes from. Nothing here imports torch or knows a tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from psyllm.core.errors import BadCheckpoint
from psyllm.core.records import Frozen
from psyllm.lm.wording import FIXED, TURNS, Wording

CARD_FILE = "psyllm.json"
CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx")  # as GPT-2 and its like call them
RETRAIN = "make the model again with psyllm train, or name the folder that the tokenizer came with"


class ModelCard(Frozen):
    """What a checkpoint made here says about itself."""

    template_version: str = TURNS.version
    wording: Wording | None = None  # only of a chat template, which was the base's
    tokenizer_sha256: str
    vocabulary: int
    context_tokens: int
    pad: int | None = None
    ends: tuple[int, ...] = ()
    lineage: dict[str, Any] = Field(default_factory=dict)

    @property
    def family(self) -> str:
        """The template's name without its version."""
        return self.template_version.rpartition("-")[0]

    def worded(self) -> Wording:
        """Return the wording that the model was trained with.

        Raises:
            BadCheckpoint: this version of psyllm has no such template.
        """
        known = {wording.version: wording for wording in FIXED.values()}
        found = self.wording or known.get(self.template_version)
        if found is None or found.version != self.template_version:
            message = (
                f"the model was trained with template {self.template_version}, this is {', '.join(known)}"
            )
            raise BadCheckpoint(message, RETRAIN)
        return found


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


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json.

    Raises:
        BadCheckpoint: the folder, config.json or the weights are missing or broken.
    """
    next_step = "name a folder that holds config.json, the weights and the tokenizer's files"
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


def read_settings(folder: Path) -> dict[str, Any]:
    """Return config.json, empty where there is none."""
    return read_config(folder) if (folder / CONFIG_FILE).is_file() else {}


def read_generation(folder: Path) -> dict[str, Any]:
    """Return generation_config.json, or what older models write into config.json instead."""
    return read_object(folder / GENERATION_FILE)


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file that a model may come with, empty where there is none.

    Raises:
        BadCheckpoint: it is not valid JSON.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not valid JSON"
        raise BadCheckpoint(message, "take the file that was published with the model") from error
    return found if isinstance(found, dict) else {}


def positions_of(config: dict[str, Any]) -> int | None:
    """Return the longest row that a model can take, None where its settings name none."""
    found = (config.get(name) for name in POSITIONS)
    return next((int(number) for number in found if isinstance(number, int)), None)
