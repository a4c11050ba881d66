"""The weight files of a PanGu-alpha folder, looked at before anything is loaded.

Published checkpoints come as one pytorch_model.bin (of the old format or the
zip), as shards with an index, or as safetensors; in fp32 or fp16; with or
without mask buffers; with the head tied, apart or absent. transformers reads
all of these, but it fills a missing weight with noise, leaves out a layer too
many and tells of a wrong size only after minutes. In: a folder and its
configuration. Out: nothing, or `BadCheckpoint` with the reason. Only names and
shapes are read, and no code that a file may hold is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from psyllm.core.errors import BadCheckpoint
from psyllm.lm.pangu_config import GPTPanguConfig

Shapes: TypeAlias = dict[str, tuple[int, ...]]
# in the order in which transformers looks for them
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
BODY = "transformer."
HEAD = "lm_head.weight"
EMBEDDING = "wte.weight"
POSITIONS = ("wpe.weight", "wqe.weight")
BUFFERS = re.compile(r"\.attn\.(masked_)?bias$")  # masks that old files carry along
LAYER = re.compile(r"^h\.(\d+)\.")
AGAIN = "get the file again, and compare its sha256 with the publisher's"


class Odd(NamedTuple):
    """A weight that is not as the configuration says; None: not there, or not expected."""

    name: str
    found: tuple[int, ...] | None
    expected: tuple[int, ...] | None


def check_weights(folder: Path, config: GPTPanguConfig) -> None:
    """Refuse a folder whose weights are not those of the configuration; one without weights passes.

    Raises:
        BadCheckpoint: a file is missing, torn or holds code, or a weight is missing or of another size.
    """
    first = next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if first is None:
        return
    found = {name.removeprefix(BODY): shape for name, shape in _read_all(first).items()}
    odd = list(_compare(found, expected_shapes(config)))
    if odd:
        raise _refusal(first, odd, config)


def expected_shapes(config: GPTPanguConfig) -> Shapes:
    """Return name and shape of every weight of the body, without the leading `transformer.`."""
    width, inner = config.hidden_size, config.intermediate_size or 0
    shapes: Shapes = {EMBEDDING: (config.vocab_size, width)}
    shapes |= dict.fromkeys(POSITIONS, (config.max_position_embeddings, width))
    shapes |= {"ln_f.weight": (width,), "ln_f.bias": (width,)}
    for number in range(config.num_layers):
        layer = f"h.{number}."
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"{layer}{norm}.weight": (width,), f"{layer}{norm}.bias": (width,)}
        for projection in ("q_proj", "k_proj", "v_proj", "c_proj"):
            name = f"{layer}attn.{projection}"
            shapes |= {f"{name}.weight": (width, width), f"{name}.bias": (width,)}
        shapes |= {f"{layer}mlp.c_fc.weight": (inner, width), f"{layer}mlp.c_fc.bias": (inner,)}
        shapes |= {f"{layer}mlp.c_proj.weight": (width, inner), f"{layer}mlp.c_proj.bias": (width,)}
    return shapes


def _compare(found: Shapes, expected: Shapes) -> Iterator[Odd]:
    """Yield what is odd, the embedding first, then the positions, for they tell most."""
    head = found.pop(HEAD, None)
    rows = expected[EMBEDDING]
    if EMBEDDING not in found and head is not None:
        found[EMBEDDING] = head  # tied, and stored under the other name
    elif head is not None and head != rows:
        yield Odd(HEAD, head, rows)
    for name, shape in expected.items():
        if found.get(name) != shape:
            yield Odd(name, found.get(name), shape)
    for name, shape in found.items():
        if name not in expected and LAYER.match(name) and not BUFFERS.search(name):
            yield Odd(name, shape, None)


def _refusal(path: Path, odd: list[Odd], config: GPTPanguConfig) -> BadCheckpoint:
    """Return the error that names the first odd weight, and what to do."""
    name, found, expected = odd[0]
    more = f" ({len(odd)} weights are wrong)" if len(odd) > 1 else ""
    if found is None:
        message = f"{path} lacks {name}{more}"
        return BadCheckpoint(message, f"{AGAIN}; a reward model or an adapter alone can't speak")
    if expected is None:
        layers = 1 + max(int(match[1]) for one in odd if (match := LAYER.match(one.name)))
        message = f"{path} holds {name}, which config.json with num_layers {config.num_layers} does not know"
        return BadCheckpoint(message, f"if the file is whole, set num_layers to {layers} in config.json")
    field, value = "", 0
    if name in {EMBEDDING, HEAD}:
        field, value = "vocab_size", config.vocab_size
    elif name in POSITIONS:
        field, value = "max_position_embeddings", config.max_position_embeddings
    if field and found[1:] == expected[1:]:
        message = f"{path}: {name} has {found[0]} rows, config.json says {field} {value}{more}"
        return BadCheckpoint(message, f"{AGAIN}; if it is right, set {field} to {found[0]} in config.json")
    message = f"{path}: {name} has the shape {list(found)}, config.json asks for {list(expected)}{more}"
    return BadCheckpoint(message, f"{AGAIN}, or name the config.json that belongs to it")


def _read_all(first: Path) -> Shapes:
    """Return the shapes of a file, or of all shards that an index names (its total_size is often wrong)."""
    if first.suffix != ".json":
        return _read_shapes(first)
    try:
        names = json.loads(first.read_text("utf-8"))["weight_map"]
        shards = sorted(set(names.values()))
        inside = all(Path(name).name == name for name in shards)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{first} is not an index of weights"
        raise BadCheckpoint(message, AGAIN) from error
    if not inside:
        message = f"{first} names a file outside of its folder"
        raise BadCheckpoint(message, AGAIN)
    shapes: Shapes = {}
    for name in shards:
        if not (first.parent / name).is_file():
            message = f"{first.parent} lacks {name}, one of {len(shards)} parts that {first.name} names"
            raise BadCheckpoint(message, "get the missing part")
        shapes |= _read_shapes(first.parent / name)
    return shapes


def _read_shapes(path: Path) -> Shapes:
    try:
        return _shapes_of_safetensors(path) if path.suffix == ".safetensors" else _shapes_of_pickle(path)
    except Exception as error:  # of torch, zipfile, pickle and safetensors, each its own
        if "weights_only" in str(error).lower():
            message = f"{path} holds more than weights: code that loading would run"
            raise BadCheckpoint(
                message, "take a safetensors file of this model, or another publisher's"
            ) from error
        message = f"{path} is torn or no file of weights: {type(error).__name__}"
        raise BadCheckpoint(message, AGAIN) from error


def _shapes_of_safetensors(path: Path) -> Shapes:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stored:
        names: list[str] = stored.keys()
        return {name: tuple(stored.get_slice(name).get_shape()) for name in names}


def _shapes_of_pickle(path: Path) -> Shapes:
    import torch

    # onto the device "meta": the bytes of the weights are passed over
    stored = torch.load(path, map_location="meta", weights_only=True)
    return {name: tuple(weight.shape) for name, weight in stored.items()}
