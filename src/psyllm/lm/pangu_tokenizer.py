"""PanGu-alpha's tokenizer: words cut by jieba, spelt by sentencepiece.

In: text. Out: ids and back. A blank inside the text becomes U+2582 and a new
line U+2583, words are joined by blanks, and vocab.model spells them. What comes
back is not always what went in: full-width punctuation and letters become
half-width (，-> ,), a character that the vocabulary lacks is lost, tabs and
carriage returns vanish; `normalise` does the same to a text without losing
characters, for comparing it with what a model wrote. Two published ways are
known by the folder's tokenizer_config.json: with a start mark, texts become
<s> text <eot> and pairs <s> a <sep> b <eot>; without, nothing is added. A typed
mark such as "<eot>" is the mark, unless `split_special_tokens` is set, which is
right for whatever a person wrote. Nothing is cached on disk.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from sentencepiece import SentencePieceProcessor
from transformers import PreTrainedTokenizer

from psyllm.core.errors import BadCheckpoint

VOCABULARY_FILE = "vocab.model"
BLANK, NEW_LINE = "\u2582", "\u2583"
JOINT = "\u2581"  # how sentencepiece writes the blank between words
START = "<s>"
MARKS = (("eos_token", "<eot>"), ("unk_token", "<unk>"), ("sep_token", "<sep>"), ("pad_token", "<pad>"))
FILES = {"model_file": VOCABULARY_FILE}
INPUTS = ["input_ids", "attention_mask"]  # never token_type_ids, which the model would add to the words
TO_MARKS = str.maketrans({" ": BLANK, "\n": NEW_LINE})
FROM_MARKS = str.maketrans({" ": "", JOINT: "", BLANK: " ", NEW_LINE: "\n"})


class _Cutter(Protocol):
    def cut(self, sentence: str) -> Iterable[str]:
        """Yield the words."""


class GPTPanguTokenizer(PreTrainedTokenizer):
    """Named as in the published files, for transformers finds it by this name."""

    vocab_files_names = FILES
    model_input_names = INPUTS

    def __init__(self, model_file: str, **named: object) -> None:
        # before the parent's start, which asks for the vocabulary
        self._model_file = Path(model_file)
        self._pieces = _read_pieces(self._model_file)
        self._vocabulary = {self._pieces.id_to_piece(number): number for number in range(self.vocab_size)}
        kwargs: dict[str, Any] = dict(named)
        kwargs.pop("auto_map", None)
        for name, mark in MARKS:
            kwargs.setdefault(name, mark)
        if kwargs.get("bos_token") is None:
            # no text starts with it, and still it is one mark when typed
            kwargs["extra_special_tokens"] = list(
                dict.fromkeys([*(kwargs.get("extra_special_tokens") or ()), START])
            )
        kwargs.setdefault("clean_up_tokenization_spaces", False)
        start: Callable[..., None] = super().__init__
        start(**kwargs)

    @property
    def vocab_size(self) -> int:
        """The number of pieces in vocab.model."""
        return int(self._pieces.get_piece_size())

    def get_vocab(self) -> dict[str, int]:
        """Return every piece with its id."""
        return {**self._vocabulary, **self._added_tokens_encoder}

    def normalise(self, text: str) -> str:
        """Return the text in the letters and punctuation that a decoded answer has."""
        return str(self._pieces.normalize(joined(text))).translate(FROM_MARKS)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return a text or a pair as the model read it in training."""
        if self.bos_token_id is None:
            return [*token_ids_0, *(token_ids_1 or [])]
        second = [] if token_ids_1 is None else [self.sep_token_id, *token_ids_1]
        return [self.bos_token_id, *token_ids_0, *second, self.eos_token_id]

    def get_special_tokens_mask(
        self,
        token_ids_0: list[int],
        token_ids_1: list[int] | None = None,
        *already: bool,
        **named: bool,
    ) -> list[int]:
        """Return 1 where a mark stands, or would be set, and 0 elsewhere."""
        if any(already) or any(named.values()):  # already_has_special_tokens
            marks = set(self.all_special_ids)
            return [int(number in marks) for number in token_ids_0]
        if self.bos_token_id is None:
            return [0] * len([*token_ids_0, *(token_ids_1 or [])])
        second = [] if token_ids_1 is None else [1, *[0] * len(token_ids_1)]
        return [1, *[0] * len(token_ids_0), *second, 1]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Return the text of pieces; pieces added later stand as they are."""
        text, run = "", list[int]()
        for token in tokens:
            number = self._vocabulary.get(token)
            if number is None:
                text += self._spell(run) + token
                run = []
            else:
                run.append(number)
        return text + self._spell(run)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        """Write vocab.model; return its path."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        target = Path(save_directory) / f"{prefix}{VOCABULARY_FILE}"
        if not (target.exists() and target.samefile(self._model_file)):
            target.write_bytes(self._pieces.serialized_model_proto())
        return (str(target),)

    def _spell(self, numbers: list[int]) -> str:
        return str(self._pieces.decode(numbers)).translate(FROM_MARKS) if numbers else ""

    def _tokenize(self, text: str, **_kwargs: object) -> list[str]:
        pieces: list[str] = self._pieces.encode(joined(text), out_type=str)
        return pieces

    def _convert_token_to_id(self, token: str) -> int:
        return int(self._pieces.piece_to_id(token))

    def _convert_id_to_token(self, index: int) -> str:
        return str(self._pieces.id_to_piece(index)) if 0 <= index < self.vocab_size else self.unk_token


def _read_pieces(path: Path) -> SentencePieceProcessor:
    try:
        return SentencePieceProcessor(model_proto=path.read_bytes())
    except (OSError, RuntimeError) as error:  # the library's own is a bare RuntimeError
        message = f"{path} is not a sentencepiece model: {type(error).__name__}"
        raise BadCheckpoint(message, f"get {VOCABULARY_FILE} again from where the model came from") from error


def joined(text: str) -> str:
    """Return the text as vocab.model wants it: words with a blank between, white space as marks."""
    return " ".join(word.translate(TO_MARKS) for word in _cutter().cut(text))


@cache
def _cutter() -> _Cutter:
    """Return a jieba of our own, with its dictionary in memory and no word added by others.

    Its `initialize` would read, and run marshal on, a cache in the folder that
    all users of a machine may write to, and would speak on the terminal.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old escapes in its patterns, told while Python compiles them
        import jieba
    cutter: Any = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    words: _Cutter = cutter
    return words
