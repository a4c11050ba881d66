"""Text to ids and back, for tokenizers of any make, with no idea of a dialogue.

In: a folder's tokenizer.json, GPT-2's vocab.json and merges.txt, or any other
tokenizer that transformers (and `pangu`) can read. Out: ids and text. `encode`
takes every text as plain words: what looks like a mark, in whatever disguise, is
never one, for a visitor may have typed it. `encode_wording` is for text of our
own, in which marks are marks. Only the last kind of folder needs transformers,
which is imported then, and loads torch for all but PanGu.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Pieces

from psyllm.core.errors import BadCheckpoint

JSON_FILE = "tokenizer.json"
BYTE_LEVEL_FILES = ("vocab.json", "merges.txt")
PANGU_FILE = "vocab.model"
# Whatever a folder's ids depend on besides tokenizer.json, in the order of the hash.
VOCABULARY_FILES = (
    "vocab.model",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "added_tokens.json",
)
# What other programs read beside the vocabulary; it travels unchanged.
COMPANION_FILES = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
UNKNOWN = frozenset({"<unk>", "[UNK]"})  # stands for characters of plain text
PANGU_MARKS = ("<unk>", "<s>", "</s>", "<sep>", "<pad>", "<mask>", "<eod>", "<eot>")
NEXT_STEP = "name a folder that holds config.json, the weights and the tokenizer's files"


class Codec(Protocol):
    """What a tokenizer must be able to do."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain words."""

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of many texts."""

    def encode_whole(self, text: str) -> list[int]:
        """Return the ids of a whole prompt as the published tokenizer gives them, marks as marks."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; marks are left out."""

    def add_marks(self, tokens: Sequence[str]) -> None:
        """Add marks that plain text never becomes."""

    @property
    def marks(self) -> Mapping[str, int]:
        """Every piece that is no part of people's words, with its id."""

    @property
    def size(self) -> int:
        """One more than the largest id that has a text."""

    def files(self) -> dict[str, bytes]:
        """Return what `read_codec` needs to make it again."""


def encode_wording(codec: Codec, text: str) -> list[int]:
    """Return the ids of text of our own, in which marks are marks."""
    if not text:
        return []
    longest_first = sorted(codec.marks, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", text) if longest_first else [text]
    ids: list[int] = []
    for part in parts:
        if part in codec.marks:
            ids.append(codec.marks[part])
        elif part:
            ids += codec.encode(part)
    return ids


class JsonCodec:
    """A tokenizer of the `tokenizers` library."""

    def __init__(self, pieces: Pieces) -> None:
        pieces.encode_special_tokens = True  # a mark that a person typed is plain text
        pieces.no_truncation()
        pieces.no_padding()
        self._pieces = pieces
        self._read_marks()

    def _read_marks(self) -> None:
        added = self._pieces.get_added_tokens_decoder()
        self._marks = {token.content: number for number, token in added.items()}
        self._typed = _Typed(self._marks)
        # the library spares special tokens only: <think> and the like would still be found in typed text
        self._plain = self._pieces
        if any(not token.special for token in added.values()):
            self._plain = _without_added(self._pieces)

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain words."""
        return self._typed.as_words(text, self._ids)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of many texts, on all cores."""
        found = self._plain.encode_batch(texts, add_special_tokens=False)
        return [
            self.encode(text) if self._typed.is_mark_in(one.ids) else list(one.ids)
            for text, one in zip(texts, found, strict=True)
        ]

    def encode_whole(self, text: str) -> list[int]:
        """Return the ids of a whole prompt, marks as marks."""
        self._pieces.encode_special_tokens = False
        try:
            return list(self._pieces.encode(text, add_special_tokens=False).ids)
        finally:
            self._pieces.encode_special_tokens = True

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; marks are left out."""
        return str(self._pieces.decode(list(ids), skip_special_tokens=True))

    def add_marks(self, tokens: Sequence[str]) -> None:
        """Add marks that plain text never becomes."""
        self._pieces.add_special_tokens(
            [AddedToken(token, special=True, normalized=False) for token in tokens]
        )
        self._read_marks()

    @property
    def marks(self) -> Mapping[str, int]:
        """Every added token with its id."""
        return self._marks

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return max(self._pieces.get_vocab(with_added_tokens=True).values()) + 1

    def files(self) -> dict[str, bytes]:
        """Return tokenizer.json."""
        return {JSON_FILE: str(self._pieces.to_str(pretty=False)).encode()}

    def _ids(self, text: str) -> list[int]:
        return list(self._plain.encode(text, add_special_tokens=False).ids)


class PythonCodec:
    """A tokenizer that only its own class can run, PanGu's above all."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - transformers types none of what is used
        self._tokenizer = tokenizer
        self._read_marks()

    def _read_marks(self) -> None:
        vocabulary: dict[str, int] = self._tokenizer.get_vocab()
        named = [*self._tokenizer.get_added_vocab(), *self._tokenizer.all_special_tokens, *PANGU_MARKS]
        self._marks = {token: vocabulary[token] for token in named if token in vocabulary}
        self._typed = _Typed(self._marks)
        self._size = max(vocabulary.values()) + 1

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain words."""
        return self._typed.as_words(text, self._ids)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of many texts, one after another."""
        return [self.encode(text) for text in texts]

    def encode_whole(self, text: str) -> list[int]:
        """Return the ids of a whole prompt, marks as marks."""
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; marks are left out."""
        marks = set(self._marks.values())
        words = [number for number in ids if number not in marks]
        return str(self._tokenizer.decode(words, clean_up_tokenization_spaces=False))

    def add_marks(self, tokens: Sequence[str]) -> None:
        """Add marks that plain text never becomes."""
        self._tokenizer.add_special_tokens({"additional_special_tokens": list(tokens)})
        self._read_marks()

    @property
    def marks(self) -> Mapping[str, int]:
        """Every special or added token with its id."""
        return self._marks

    @property
    def size(self) -> int:
        """One more than the largest id that has a text."""
        return self._size

    def files(self) -> dict[str, bytes]:
        """Return what its class saves."""
        with tempfile.TemporaryDirectory() as folder:
            self._tokenizer.save_pretrained(folder)
            return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


class _Typed:
    """Keeps marks that somebody typed plain words."""

    def __init__(self, marks: Mapping[str, int]) -> None:
        self._ids = frozenset(number for token, number in marks.items() if token not in UNKNOWN)
        tokens = sorted((token for token in marks if len(token) > 1), key=len, reverse=True)
        self._inside = re.compile(
            "|".join(f"(?<={re.escape(t[0])})(?={re.escape(t[1:])})" for t in tokens) or "(?!)"
        )

    def is_mark_in(self, ids: Sequence[int]) -> bool:
        """Return whether a mark came out of text."""
        return not self._ids.isdisjoint(ids)

    def as_words(self, text: str, encode: Callable[[str], list[int]]) -> list[int]:
        """Return ids without any mark: where one comes out, the text is torn apart inside of it."""
        ids = encode(text)
        if not self.is_mark_in(ids):
            return ids
        torn = [number for part in self._inside.split(text) if part for number in encode(part)]
        return [number for number in torn if number not in self._ids]


def read_codec(folder: Path) -> Codec:
    """Return the tokenizer of a folder.

    Raises:
        BadCheckpoint: there is none, or it can't be read.
    """
    found = folder / JSON_FILE
    try:
        if found.is_file():
            return JsonCodec(Pieces.from_str(found.read_text("utf-8")))
        if _is_gpt2(folder):
            found = folder / BYTE_LEVEL_FILES[0]
            return JsonCodec(_byte_level(folder))
        found = next((folder / name for name in VOCABULARY_FILES if (folder / name).is_file()), folder)
        if found != folder:
            return _by_transformers(folder)
    except Exception as error:  # the libraries raise bare Exception
        message = f"{found} is not a tokenizer: {type(error).__name__}"
        raise BadCheckpoint(message, NEXT_STEP) from error
    message = f"{folder} has no {JSON_FILE} and no other tokenizer"
    raise BadCheckpoint(message, NEXT_STEP)


def _without_added(pieces: Pieces) -> Pieces:
    content = json.loads(pieces.to_str())
    content |= {"added_tokens": [], "post_processor": None}
    return Pieces.from_str(json.dumps(content))


def _is_gpt2(folder: Path) -> bool:
    """Other models spell with the same two files, but cut words otherwise."""
    config = folder / "config.json"
    if not all((folder / name).is_file() for name in BYTE_LEVEL_FILES) or not config.is_file():
        return False
    return bool(json.loads(config.read_text("utf-8")).get("model_type") == "gpt2")


def _byte_level(folder: Path) -> Pieces:
    """Put GPT-2's two files together as its class does."""
    vocabulary, merges = (str(folder / name) for name in BYTE_LEVEL_FILES)
    pieces = Pieces(models.BPE.from_file(vocabulary, merges))
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    end = "<|endoftext|>"
    if pieces.token_to_id(end) is not None:
        pieces.add_special_tokens([AddedToken(end, special=True, normalized=False)])
    return pieces


def _by_transformers(folder: Path) -> Codec:
    # late: transformers takes seconds, and most folders have a tokenizer.json
    if (folder / PANGU_FILE).is_file():
        from psyllm.lm.pangu_tokenizer import GPTPanguTokenizer

        return PythonCodec(GPTPanguTokenizer.from_pretrained(folder, local_files_only=True))
    from transformers import AutoTokenizer

    load: Any = AutoTokenizer.from_pretrained
    tokenizer: Any = load(folder, local_files_only=True, trust_remote_code=False)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return PythonCodec(tokenizer) if backend is None else JsonCodec(backend)
