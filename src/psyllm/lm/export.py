"""A model that leaves the house: its folder in another size or another program's form.

In: a checkpoint folder. Out: a new folder, whole or not at all: the weights in
the form that was asked for, all else of the checkpoint as it was (`safetensors`,
which `serve` and `psyllm train --base` take again; for other programs with the
form of a dialogue that the model was trained with), or one GGUF file; beside
either MODEL_CARD.md, which says where the model comes from and what it may be
used for. Nothing here trains or measures.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from psyllm.core.base_models import MARKS_FILE
from psyllm.core.descent import mark_of_descent
from psyllm.core.errors import BadCheckpoint, BadInput, DiskFull
from psyllm.core.permits import Permit, permit_of_base, refuse_ended
from psyllm.core.stages import NO_SPACE
from psyllm.lm.chat import TEMPLATE_FILE, TOKENIZER_SETTINGS_FILE, tokenizer_settings
from psyllm.lm.checkpoint import load_weights, quiet_transformers
from psyllm.lm.dialogue_form import dialogue_form
from psyllm.lm.export_card import CARD_NAME, Told, card_text, licences
from psyllm.lm.full_disk import full_disk_told
from psyllm.lm.gguf_file import FORMS as GGUF_FORMS
from psyllm.lm.gguf_file import GGUF_FILE, write_gguf
from psyllm.lm.hub import fetched_permit
from psyllm.lm.int8 import write_int8
from psyllm.lm.model_card import CONFIG_FILE, ModelCard, read_card, read_config, write_card
from psyllm.lm.number_types import TYPES

SAFETENSORS = "safetensors"
GGUF = "gguf"
INT8 = "int8"
DTYPES = {SAFETENSORS: (*TYPES, INT8), GGUF: tuple(GGUF_FORMS)}
WEIGHT_SUFFIXES = frozenset({".safetensors", ".bin", ".pt", ".gguf"})
MOST_BYTES_A_WEIGHT = 4
OTHER_DISK = "free some space or name another folder with --out"


class Exported(NamedTuple):
    """Where it lies, and the bytes of each file."""

    folder: Path
    files: dict[str, int]


def export(source: Path, target: Path, form: str, dtype: str) -> Exported:
    """Write the model of a folder to a new one.

    Raises:
        BadInput: form or type are unknown, or the new folder holds something.
        BadCheckpoint: the model can't be loaded, or not be kept in this form.
        MissingStage: an agreement that the model rests on has ended.
        DiskFull: it would not fit.
    """
    if dtype not in DTYPES.get(form, ()):
        forms = "; ".join(f"{name}: {', '.join(types)}" for name, types in DTYPES.items())
        message = f"there is no form {form!r} with the type {dtype!r}"
        raise BadInput(message, f"choose one of {forms}")
    read_config(source)
    card = read_card(source)
    published = fetched_permit(source) if card is None else None
    permit = published or permit_of_base(None if card is None else card.lineage, source.name)
    refuse_ended(permit, str(source), "train without it: psyllm corpus; psyllm train", _today())
    with new_folder(target, wanted_bytes=_bytes(source)) as folder:
        if form == GGUF:
            write_gguf(source, folder / GGUF_FILE, dtype, card, source_name(source, card), licences(permit))
        else:
            _write_safetensors(source, folder, dtype, card)
        _write_card(source, folder, form, dtype, card, permit)
    return Exported(target, {path.name: path.stat().st_size for path in sorted(target.iterdir())})


def source_name(source: Path, card: ModelCard | None) -> str:
    """Return the name of the run that made a model, else of its folder."""
    return str((card.lineage.get("run") if card is not None else "") or source.name)


def copy_all_but_weights(source: Path, target: Path) -> None:
    """Copy the settings, the tokenizer and the card of a checkpoint, and not what was measured of its weights."""
    for path in sorted(source.iterdir()):
        weights = path.suffix in WEIGHT_SUFFIXES or ".index." in path.name
        if path.is_file() and not weights and path.name not in {CARD_NAME, MARKS_FILE}:
            shutil.copyfile(path, target / path.name)


@contextmanager
def new_folder(target: Path, wanted_bytes: int) -> Iterator[Path]:
    """Give a folder to write into, which becomes `target` only if all went well.

    Raises:
        BadInput: `target` holds something.
        DiskFull: there is no room for so many bytes, or none is left while it is written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        message = f"{target} is there already and is not empty"
        raise BadInput(message, "name a new folder with --out")
    place = target.resolve()  # "." has no name
    place.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(place.parent).free < wanted_bytes:
        message = f"no room for {wanted_bytes:,} bytes on the disk that holds {place.parent}"
        raise DiskFull(message, OTHER_DISK)
    beside = place.with_name(f".{place.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        with full_disk_told():
            yield beside
        if place.exists():
            place.rmdir()
        beside.rename(place)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        message = f"no space left on the disk that holds {place.parent}"
        raise DiskFull(message, OTHER_DISK) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_safetensors(source: Path, folder: Path, dtype: str, card: ModelCard | None) -> None:
    model: Any = load_weights(source)
    kind = TYPES.get(dtype, torch.float32)
    if kind is torch.float16:
        _check_fp16(model)
    if dtype == INT8:
        write_int8(folder, model)
    else:
        with quiet_transformers():
            model.to(kind).save_pretrained(folder)
    copy_all_but_weights(source, folder)
    config: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
    config.pop("torch_dtype", None)
    config["dtype"] = str(kind).removeprefix("torch.")
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    if card is not None:
        told = {
            **card.lineage,
            **mark_of_descent(source, source.name, card.lineage),
            "export": {"form": SAFETENSORS, "dtype": dtype},
        }
        write_card(folder, card.model_copy(update={"lineage": told}))
        if dtype != INT8:  # which no other program reads
            _write_template(folder, dialogue_form(card.worded()))


def _write_template(folder: Path, template: str) -> None:
    """Give a folder the form of a dialogue that its model was trained with, in place of its base's."""
    (folder / TEMPLATE_FILE).write_text(template, "utf-8")
    settings = tokenizer_settings(folder)
    if settings.pop("chat_template", None) is not None:
        text = json.dumps(settings, ensure_ascii=False, indent=2)
        (folder / TOKENIZER_SETTINGS_FILE).write_text(text + "\n", "utf-8")


def _write_card(
    source: Path, folder: Path, form: str, dtype: str, card: ModelCard | None, permit: Permit
) -> None:
    lineage = {} if card is None else card.lineage
    told = Told(source_name(source, card), form, dtype, lineage, permit)
    (folder / CARD_NAME).write_text(card_text(told), "utf-8")


def _check_fp16(model: torch.nn.Module) -> None:
    largest = torch.finfo(torch.float16).max
    for name, weight in model.state_dict().items():
        if weight.is_floating_point() and weight.abs().max() > largest:
            message = f"fp16 can't hold the largest number of the weight {name}"
            raise BadCheckpoint(message, "take --dtype bf16 or fp32")


def _bytes(source: Path) -> int:
    """Return the most bytes that an export of this folder takes."""
    weights = sum(path.stat().st_size for path in source.iterdir() if path.suffix in WEIGHT_SUFFIXES)
    others = sum(path.stat().st_size for path in source.iterdir() if path.is_file()) - weights
    return MOST_BYTES_A_WEIGHT * weights + others  # the source may hold int8


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
