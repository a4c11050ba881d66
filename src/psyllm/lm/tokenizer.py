"""The tokenizer: trained here for Chinese, or a checkpoint's own with the wording that goes with it.

Ours is byte-pair encoding with byte fallback: pieces of at most four
characters, digits, punctuation and white space each apart, no normalisation,
so that every text comes back exactly. Training is deterministic. In: texts, or
a file. Out: ids and text. The template's marks are ids of their own and never
come out of encoding plain text. Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Pieces

from psyllm.core.errors import BadCheckpoint, EmptyCorpus
from psyllm.lm.codec import (
    COMPANION_FILES,
    JSON_FILE,
    VOCABULARY_FILES,
    Codec,
    JsonCodec,
    encode_wording,
    read_codec,
)
from psyllm.lm.family import Manner, Wish, manner_of, silent_ids
from psyllm.lm.model_card import read_card
from psyllm.lm.template import END, PAD, SPECIAL_TOKENS, Frame
from psyllm.lm.wording import TURNS, Wording

TOKENIZER_FILE = JSON_FILE
LONGEST_PIECE_CHARS = 4
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# At most a third of the pieces are single characters: a rarer one costs three bytes,
# while a merge missed costs a token in every sentence.
MOST_CHARACTERS_SHARE = 0.33
LEAST_VOCABULARY = len(SPECIAL_TOKENS) + len(BYTES) + 16


class Tokenizer:
    """Text to ids and back, and what stands around people's words."""

    def __init__(self, codec: Codec | Pieces, manner: Manner | None = None) -> None:
        self._codec = JsonCodec(codec) if isinstance(codec, Pieces) else codec
        self._manner = manner or Manner(TURNS, None, frozenset())
        self._companions: dict[str, bytes] = {}

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text."""
        return self._codec.encode(text)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of many texts, on all cores where the tokenizer can."""
        return self._codec.encode_many(texts)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; marks are left out."""
        return self._codec.decode(ids)

    def mark(self, token: str) -> int:
        """Return the id of one of the template's marks; of `END` and `PAD` in every family.

        Raises:
            BadCheckpoint: the tokenizer has no such mark (see `add_marks`).
        """
        if self.wording.family != "turns" and token in {END, PAD}:
            found = self._codec.marks[self.wording.end] if token == END else self._manner.pad
        else:
            found = self._codec.marks.get(token)
        if found is None:
            message = f"the tokenizer has no piece {token}"
            raise BadCheckpoint(message, "make the model with psyllm train, which adds it")
        return found

    def need_marks(self) -> None:
        """Refuse a tokenizer without our marks where they are its wording.

        Raises:
            BadCheckpoint: one is missing (see `add_marks`).
        """
        for token in SPECIAL_TOKENS if self.wording.family == "turns" else ():
            self.mark(token)

    def add_marks(self) -> int:
        """Add the marks of our own template that are missing, where it is the one; return how many were."""
        missing = [token for token in SPECIAL_TOKENS if token not in self._codec.marks]
        if self.wording.family != "turns" or not missing:
            return 0
        self._codec.add_marks(missing)
        self.__dict__.pop("frame", None)
        return len(missing)

    @cached_property
    def frame(self) -> Frame:
        """What stands around people's words, as ids.

        Raises:
            BadCheckpoint: the tokenizer lacks a mark of ours (see `add_marks`).
        """
        self.need_marks()
        return Frame(*(encode_wording(self._codec, getattr(self.wording, name)) for name in Frame._fields))

    @property
    def wording(self) -> Wording:
        """What stands around people's words, as text."""
        return self._manner.wording

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end an answer; the one that is learnt is `mark(END)`."""
        return self._manner.ends | {self.mark(END)}

    def silent(self, rows: int) -> list[int]:
        """Return the ids that are never drawn from a model of so many rows."""
        return silent_ids(self._codec, self._manner._replace(ends=self.ends), rows)

    @property
    def size(self) -> int:
        """The number of pieces, marks included: one more than the largest id that has a text."""
        return self._codec.size

    def to_text(self) -> str:
        """Return the content of tokenizer.json."""
        return self._codec.files()[TOKENIZER_FILE].decode()

    def content_hash(self) -> str:
        """Return one sha256 of all of its files."""
        files = self._codec.files()
        parts = (f"{name} {hashlib.sha256(files[name]).hexdigest()}" for name in sorted(files))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write its files, and those that other programs read with a base's own template."""
        folder.mkdir(parents=True, exist_ok=True)
        companions = {} if self.wording.family == "turns" else self._companions
        for name, content in {**companions, **self._codec.files()}.items():
            (folder / name).write_bytes(content)

    def keep_companions(self, folder: Path) -> None:
        """Remember a published folder's files for `save`."""
        found = (folder / name for name in COMPANION_FILES)
        self._companions = {path.name: path.read_bytes() for path in found if path.is_file()}


def read_tokenizer(folder: Path, template: Wish = "auto") -> Tokenizer:
    """Return the tokenizer of a checkpoint folder, with the wording that goes with it.

    Raises:
        BadCheckpoint: it is missing, can't be read, or does not go with the template wished for.
    """
    codec = read_codec(folder)
    tokenizer = Tokenizer(codec, manner_of(folder, codec, read_card(folder), template))
    tokenizer.keep_companions(folder)
    return tokenizer


def tokenizer_hash(folder: Path) -> str:
    """Return the sha256 of the folder's tokenizer.json, else of the files in its place; empty without any."""
    path = folder / TOKENIZER_FILE
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    found = [folder / name for name in VOCABULARY_FILES if (folder / name).is_file()]
    if not found:
        return ""
    listing = "\n".join(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in found)
    return hashlib.sha256(listing.encode()).hexdigest()


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Return a tokenizer of at most `vocabulary` pieces, the same for the same texts.

    Raises:
        EmptyCorpus: there is no text to learn from.
    """
    kept = [text for text in texts if text]
    if not kept:
        raise EmptyCorpus("no text to train a tokenizer on", "collect a source with texts first")
    trained = Pieces(models.BPE())
    trained.pre_tokenizer = _cutter()
    alphabet = _alphabet(kept, max(vocabulary, LEAST_VOCABULARY))
    trainer = trainers.BpeTrainer(
        vocab_size=max(vocabulary, LEAST_VOCABULARY) - len(BYTES) - len(SPECIAL_TOKENS),
        min_frequency=2,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        max_token_length=LONGEST_PIECE_CHARS + 1,  # the trainer keeps pieces shorter than this
        show_progress=False,
    )
    trained.train_from_iterator(kept, trainer)
    return Tokenizer(_with_bytes(trained))


def _alphabet(texts: Sequence[str], vocabulary: int) -> list[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    most = int((vocabulary - len(BYTES) - len(SPECIAL_TOKENS)) * MOST_CHARACTERS_SHARE)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return sorted(character for character, count in ranked[: max(most, 1)] if count > 1) or [ranked[0][0]]


def _cutter() -> pre_tokenizers.PreTokenizer:
    apart = Regex(r"\p{N}|\p{P}|\p{S}|\s")
    return pre_tokenizers.Split(apart, behavior="isolated")


def _with_bytes(trained: Pieces) -> Pieces:
    """Put marks and bytes before the trained pieces.

    The bytes are no added tokens, or the typed text "<0x41>" would become "A".
    """
    model = json.loads(trained.to_str())["model"]
    learnt = sorted(model["vocab"], key=model["vocab"].__getitem__)
    vocabulary = {piece: number for number, piece in enumerate([*SPECIAL_TOKENS, *BYTES, *learnt])}
    merges = [tuple(merge) for merge in model["merges"]]
    pieces = Pieces(models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True))
    pieces.pre_tokenizer = _cutter()
    pieces.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    pieces.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return pieces
