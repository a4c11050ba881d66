"""The tokenizer: trained here for Chinese, or read from a checkpoint's tokenizer.json.

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
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Pieces

from psyllm.core.errors import BadCheckpoint, EmptyCorpus
from psyllm.lm.template import SPECIAL_TOKENS

TOKENIZER_FILE = "tokenizer.json"
LONGEST_PIECE_CHARS = 4
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# At most a third of the pieces are single characters: a rarer one costs three bytes,
# while a merge missed costs a token in every sentence.
MOST_CHARACTERS_SHARE = 0.33
LEAST_VOCABULARY = len(SPECIAL_TOKENS) + len(BYTES) + 16


class Tokenizer:
    """Text to ids and back; knows the ids of the template's marks."""

    def __init__(self, pieces: Pieces) -> None:
        pieces.encode_special_tokens = True  # a mark that a person typed is plain text
        pieces.no_truncation()
        pieces.no_padding()
        self._pieces = pieces
        self._marks = {token: pieces.token_to_id(token) for token in SPECIAL_TOKENS}

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text."""
        return list(self._pieces.encode(text, add_special_tokens=False).ids)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of many texts, on all cores."""
        return [list(found.ids) for found in self._pieces.encode_batch(texts, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; marks are left out."""
        return str(self._pieces.decode(list(ids), skip_special_tokens=True))

    def mark(self, token: str) -> int:
        """Return the id of one of the template's marks.

        Raises:
            BadCheckpoint: the tokenizer has no such mark (see `add_marks`).
        """
        found = self._marks.get(token)
        if found is None:
            message = f"the tokenizer has no piece {token}"
            raise BadCheckpoint(message, "make the model with psyllm train, which adds it")
        return found

    def add_marks(self) -> int:
        """Add the template's marks that are missing; return how many were."""
        missing = [token for token, number in self._marks.items() if number is None]
        marks = [AddedToken(token, special=True, normalized=False) for token in missing]
        if marks:
            self._pieces.add_special_tokens(marks)
        self._marks = {token: self._pieces.token_to_id(token) for token in SPECIAL_TOKENS}
        return len(missing)

    @property
    def size(self) -> int:
        """The number of pieces, marks included: one more than the largest id."""
        return max(self._pieces.get_vocab(with_added_tokens=True).values()) + 1

    def to_text(self) -> str:
        """Return the content of tokenizer.json."""
        return str(self._pieces.to_str(pretty=False))

    def save(self, folder: Path) -> None:
        """Write tokenizer.json."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TOKENIZER_FILE).write_text(self.to_text(), "utf-8")


def read_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a checkpoint folder.

    Raises:
        BadCheckpoint: tokenizer.json is missing or can't be read.
    """
    path = folder / TOKENIZER_FILE
    next_step = "name a folder that holds config.json, model.safetensors and tokenizer.json"
    if not path.is_file():
        message = f"{folder} has no {TOKENIZER_FILE}"
        raise BadCheckpoint(message, next_step)
    try:
        return Tokenizer(Pieces.from_str(path.read_text("utf-8")))
    except Exception as error:  # the library raises bare Exception
        message = f"{path} is not a tokenizer: {type(error).__name__}"
        raise BadCheckpoint(message, next_step) from error


def tokenizer_hash(folder: Path) -> str:
    """Return the sha256 of the folder's tokenizer.json; empty if there is none."""
    path = folder / TOKENIZER_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


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
