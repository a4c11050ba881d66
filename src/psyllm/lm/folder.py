"""What can be known of a model folder without loading it.

In: a checkpoint folder. Out: its card, or a clear error when files are missing,
the tokenizer is another model's, or nothing says how the model is spoken to. A
published model whose family is known gets a card here, in memory. Nothing here
imports torch, so the service can check a folder before it starts the model.
"""

from __future__ import annotations

from pathlib import Path

from psyllm.core.errors import BadCheckpoint, TokenizerMismatch
from psyllm.lm.model_card import (
    CARD_FILE,
    RETRAIN,
    ModelCard,
    positions_of,
    read_card,
    read_config,
)
from psyllm.lm.template import PAD
from psyllm.lm.tokenizer import TOKENIZER_FILE, Tokenizer, read_tokenizer, tokenizer_hash

# Of a published model, which may take far more: every slot of the engine holds keys and values for all of it.
MOST_CONTEXT_TOKENS = 2048


def check_folder(folder: Path) -> ModelCard:
    """Return the card of a model that can answer.

    Raises:
        BadCheckpoint: a file is missing or unreadable, or the template is another version's.
        TokenizerMismatch: the tokenizer is not the one the model was trained with.
    """
    return open_folder(folder)[0]


def open_folder(folder: Path) -> tuple[ModelCard, Tokenizer]:
    """Return card and tokenizer of a model that can answer; raises as `check_folder`."""
    config = read_config(folder)
    tokenizer = read_tokenizer(folder)
    card = read_card(folder)
    if card is None and tokenizer.wording.family == "turns":
        message = f"{folder} has no {CARD_FILE}: it was not trained for dialogues here"
        raise BadCheckpoint(message, f"train on it first: psyllm train --set train.base={folder}")
    check_tokenizer(folder, tokenizer.size, int(config.get("vocab_size", 0)))
    positions = positions_of(config)
    if card is None:
        card = card_for(folder, tokenizer, min(positions or MOST_CONTEXT_TOKENS, MOST_CONTEXT_TOKENS))
    if positions is not None and card.context_tokens > positions:
        message = (
            f"{folder / CARD_FILE} names {card.context_tokens} tokens, the model has {positions} positions"
        )
        raise BadCheckpoint(message, RETRAIN)
    tokenizer.need_marks()
    return card, tokenizer


def card_for(folder: Path, tokenizer: Tokenizer, context_tokens: int) -> ModelCard:
    """Return the card of a model whose tokenizer's files lie in the folder; its lineage is empty."""
    wording = tokenizer.wording
    is_turns = wording.family == "turns"
    return ModelCard(
        template_version=wording.version,
        wording=wording if wording.family == "chat" else None,
        tokenizer_sha256=tokenizer_hash(folder),
        vocabulary=tokenizer.size,
        context_tokens=context_tokens,
        pad=None if is_turns else tokenizer.mark(PAD),
        ends=() if is_turns else tuple(sorted(tokenizer.ends)),
    )


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
