"""A tokenizer as llama.cpp keeps it in a GGUF file.

In: tokenizer.json. Out: the pieces in order, their kinds, and what decides
which pieces a text becomes. Two makes are known. Byte-level pieces (GPT-2's,
Qwen's) go over as they are, with their merges. Ours, characters with bytes for
the rest, becomes the make that llama.cpp calls `llama`: it joins the neighbours
whose joint piece has the highest score, so the score is the merge's rank. It
also joins two neighbours that no merge of ours names but whose joint piece is
known: of 86,695 ids of 2,000 counselling turns none differed (8,192 pieces,
measured once with llama.cpp itself). That Qwen's tokenizer first composes
characters (NFC) is left out, for llama.cpp does not; what Chinese keyboards write
is composed. Nothing here writes a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from psyllm.core.errors import BadCheckpoint
from psyllm.lm.tokenizer import TOKENIZER_FILE

BYTE = re.compile(r"<0x[0-9A-F]{2}>")
SPACE_BYTE = "<0x20>"
BLANK = "▁"  # U+2581, for which llama.cpp's make `llama` takes every space
COMPOSES = {"type": "NFC"}
INSTEAD = "export it as safetensors: --form safetensors"
# How llama.cpp cuts a text before it looks for pieces, by the pattern that the tokenizer has for it.
# Source: the tokenizer.json that the makers of the models publish.
CUTS = {
    "": "gpt-2",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": "qwen2",
}


class Kind(IntEnum):
    """GGUF's kinds of pieces."""

    NORMAL = 1
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass
class Pieces:
    """What llama.cpp needs of a tokenizer; `cut` is empty for the make `llama`."""

    make: str
    cut: str
    texts: list[str]
    kinds: list[Kind]
    scores: list[float] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)


def read_pieces(folder: Path, rows: int) -> Pieces:
    """Return the pieces of a folder's tokenizer, filled up to the model's rows.

    Raises:
        BadCheckpoint: it is of a make that is not known here.
    """
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        message = f"{folder} has no {TOKENIZER_FILE}, from which a GGUF file takes its pieces"
        raise BadCheckpoint(message, INSTEAD)
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    model = content["model"]
    if model.get("type") != "BPE" or content.get("normalizer") not in (None, COMPOSES):
        message = f"{path} is of a make that can't be written as GGUF here"
        raise BadCheckpoint(message, INSTEAD)
    if model.get("byte_fallback"):
        return _with_scores(content, rows)
    return _with_merges(content, rows, _cut(folder, content.get("pre_tokenizer")))


def _with_scores(content: Mapping[str, Any], rows: int) -> Pieces:
    texts, kinds = _pieces(content, rows)
    ranks = {
        "".join(_pair(merge)): rank for rank, merge in reversed([*enumerate(content["model"]["merges"])])
    }
    scores = [float(-ranks[text]) if text in ranks else 0.0 for text in texts]
    for number, (text, kind) in enumerate(zip(texts, kinds, strict=True)):
        if kind is Kind.NORMAL:
            texts[number], kinds[number] = _as_llama_cpp(text, number)
    if BLANK not in texts and SPACE_BYTE in texts:
        number = texts.index(SPACE_BYTE)
        texts[number], kinds[number] = BLANK, Kind.NORMAL
    return Pieces("llama", "", texts, kinds, scores=scores)


def _as_llama_cpp(text: str, number: int) -> tuple[str, Kind]:
    if BYTE.fullmatch(text):
        return text, Kind.BYTE
    if BLANK in text:  # llama.cpp can't tell it from a space, which is far more frequent
        return f"[unused {number}]", Kind.UNUSED
    return text.replace(" ", BLANK), Kind.NORMAL


def _with_merges(content: Mapping[str, Any], rows: int, cut: str) -> Pieces:
    texts, kinds = _pieces(content, rows)
    merges = [" ".join(_pair(merge)) for merge in content["model"]["merges"]]
    return Pieces("gpt2", cut, texts, kinds, merges=merges)


def _pieces(content: Mapping[str, Any], rows: int) -> tuple[list[str], list[Kind]]:
    texts = [f"[unused {number}]" for number in range(rows)]
    kinds = [Kind.UNUSED] * rows
    for text, number in content["model"]["vocab"].items():
        texts[number], kinds[number] = text, Kind.NORMAL
    for added in content.get("added_tokens", []):
        texts[added["id"]] = added["content"]
        kinds[added["id"]] = Kind.CONTROL if added["special"] else Kind.USER_DEFINED
    return texts, kinds


def _pair(merge: str | list[str]) -> list[str]:
    return merge.split(" ") if isinstance(merge, str) else merge


def _cut(folder: Path, said: object) -> str:
    """Return llama.cpp's name for the way in which a byte-level tokenizer cuts a text."""
    steps: list[Any] = [said] if isinstance(said, dict) else []
    if steps and steps[0].get("type") == "Sequence":
        steps = list(steps[0]["pretokenizers"])
    kinds = [step.get("type") for step in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True) and not steps[0].get("add_prefix_space"):
        return CUTS[""]
    if kinds == ["Split", "ByteLevel"]:
        pattern = steps[0]["pattern"].get("Regex", "")
        if pattern in CUTS:
            return CUTS[pattern]
    message = f"{folder / TOKENIZER_FILE} cuts texts in a way that llama.cpp is not known to have"
    raise BadCheckpoint(message, INSTEAD)
