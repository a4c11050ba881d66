"""The models that are known by name: where they are published, on what terms, of what shape.

In: `known.toml`, and a data folder. Out: its rows; the local folder of a name;
what each way of training would take; and the model that ships in the package
(`core/embedded.py`), by a name beside the others. A row is what its publisher
states, no recommendation. Nothing here loads a model or reaches a network; `hub`
fetches.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field

from psyllm.core import embedded
from psyllm.core.errors import BadSetting, MissingFile
from psyllm.core.records import Frozen
from psyllm.lm.export_card import NOT_CLEARED
from psyllm.lm.folder import MOST_CONTEXT_TOKENS
from psyllm.lm.memory import SLOTS, Device, Way, estimate
from psyllm.lm.model_card import positions_of, read_config
from psyllm.lm.model_shape import shape_of

TABLE = Path(__file__).with_name("known.toml")
HUB = "hub"  # below the data folder
NOT_STATED = "not stated"
ENGINE_NUMBER_BYTES = 4
# A card trains with half as long numbers beside weights in fp32, and with what is kept of each
# block made again where it is needed; a processor has neither 8-bit moments nor 4-bit bases.
WAYS: dict[Device, dict[str, Way]] = {
    "cuda": {
        "full": Way(precision="bf16", checkpointing=True, device="cuda"),
        "full 8-bit": Way(precision="bf16", optimizer="adamw8", checkpointing=True, device="cuda"),
        "lora": Way(method="lora", precision="bf16", weights="bf16", checkpointing=True, device="cuda"),
        "qlora": Way(method="qlora", precision="bf16", weights="bf16", checkpointing=True, device="cuda"),
    },
    "cpu": {"full": Way(checkpointing=True), "lora": Way(method="lora", checkpointing=True)},
}


EMBEDDED_PURPOSE = (
    "ships in the package: the demo and small trainings start from it without a download; "
    "never to speak unsupervised, not in crises"
)
EMBEDDED_LICENCES = f"made from SmileChat, CC0-1.0 as published; {NOT_CLEARED['smilechat']}"


class Embedded(Frozen):
    """The model that ships in the package: `standing` says whether it is there and has passed what is asked of it."""

    name: str = embedded.NAME
    here: bool
    passed: bool
    standing: str
    licence: str = "CC0-1.0"
    licences: str = EMBEDDED_LICENCES
    purpose: str = EMBEDDED_PURPOSE
    parameters: int = 0
    file_bytes: int = 0
    config: dict[str, Any] = Field(default_factory=dict)


class Known(Frozen):
    """One published model; `config` is the part of its config.json that memory depends on."""

    name: str
    repository: str
    licence: str
    template: str
    parameters: int
    remark: str
    config: dict[str, Any]


def known_models() -> list[Known]:
    """Return all rows, in the table's order."""
    table = tomllib.loads(TABLE.read_text("utf-8"))
    return [Known(name=name, **row) for name, row in table.items()]


def known_model(name: str) -> Known:
    """Return the row of a name.

    Raises:
        BadSetting: nothing is known by this name.
    """
    rows = {row.name: row for row in known_models()}
    if name not in rows:
        message = f"no model is known as {name!r}; known: {', '.join(rows)}"
        raise BadSetting(message, "choose one of these, or name a local folder with --base FOLDER")
    return rows[name]


def embedded_model() -> Embedded:
    """Return what is known of the model in the package, also where this version holds none.

    Raises:
        BadCheckpoint: its settings can't be read.
    """
    there = embedded.standing()
    if not there.is_here:
        return Embedded(here=False, passed=False, standing=there.reason)
    config = read_config(embedded.folder())
    sizes = (path.stat().st_size for path in embedded.folder().rglob("*") if path.is_file())
    return Embedded(
        here=True,
        passed=there.passed,
        standing=there.reason,
        parameters=shape_of(config).weights().total,
        file_bytes=sum(sizes),
        config=config,
    )


def is_embedded(base: Path) -> bool:
    """Return whether `--base` means the model in the package: its name, whatever folder of that name lies here.

    It is judged and shown by this name too. A folder called so is meant by its whole path only.
    """
    return base == Path(embedded.NAME)


def packaged(base: Path) -> Path:
    """Return the folder of the model in the package, which this base means.

    Raises:
        MissingFile: this version holds none.
    """
    try:
        return embedded.need()
    except MissingFile as error:
        if not base.is_dir():
            raise
        next_step = f"the folder of that name here is meant by its whole path: {base.resolve()}"
        raise MissingFile(error.message, next_step) from None


def hub_folder(data: Path, name: str) -> Path:
    """Return where a fetched model lies."""
    return data / HUB / name


def base_folder(base: Path, data: Path) -> Path:
    """Return the folder that `--base` means: a folder, `embedded`, or the name of a known model that was fetched.

    Raises:
        MissingFile: the name is known, but the model is not on this machine, or not in this version.
    """
    if is_embedded(base):
        return packaged(base)
    if base.is_dir() or len(base.parts) != 1 or base.name not in {row.name for row in known_models()}:
        return base
    folder = hub_folder(data, base.name)
    if not folder.is_dir():
        message = f"the model {base.name} is not in {folder.parent}"
        raise MissingFile(message, f"psyllm models fetch {base.name} --data {data}")
    return folder


def needs(config: dict[str, Any], device: Device, row_tokens: int, rows: int) -> dict[str, int]:
    """Return the bytes that each way of training takes, and `answer`, what the service's engine takes.

    Rows longer than the model's positions are counted as long as those.
    """
    shape = shape_of(config)
    length = min(row_tokens, positions_of(config) or row_tokens)
    found = {name: estimate(shape, way, length, rows).planned for name, way in WAYS[device].items()}
    context = min(positions_of(config) or MOST_CONTEXT_TOKENS, MOST_CONTEXT_TOKENS)
    kept = SLOTS * context * 2 * shape.layers * shape.keyed
    # the engine computes in fp32 on the processor, whatever card there is
    found["answer"] = ENGINE_NUMBER_BYTES * (shape.weights().total + kept)
    return found
