"""How likely a model finds whole dialogues: the words of both sides and who speaks when.

In: a checkpoint and dialogues. Out: for each, the nats of everything after its
first mark, and the characters of its words. Marks and <|end|> are foretold, so
their nats count, but they have no characters. A dialogue longer than the
context is read in windows whose first half is context. Nothing here averages.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from psyllm.core.progress import track
from psyllm.lm.checkpoint import Checkpoint
from psyllm.lm.loss import to_batch, token_losses
from psyllm.lm.pack import pack_blocks
from psyllm.lm.score import Score, windows
from psyllm.lm.template import PAD, Message, encode_text

TASK = "scoring dialogues"


def score_dialogues(checkpoint: Checkpoint, dialogues: Sequence[Sequence[Message]]) -> list[Score]:
    """Return a score for each dialogue; `tokens` are those foretold."""
    return [_score(checkpoint, messages) for messages in track(dialogues, TASK, len(dialogues))]


def _score(checkpoint: Checkpoint, messages: Sequence[Message]) -> Score:
    ids = encode_text(checkpoint.tokenizer, messages)
    parts = list(windows(ids, 1, checkpoint.context_tokens))
    rows = pack_blocks(parts, max(len(part.ids) for part in parts), checkpoint.tokenizer.mark(PAD))
    with torch.inference_mode():
        nats = token_losses(checkpoint.model, to_batch(rows)).double().sum().item()
    return Score(nats, len(ids) - 1, sum(len(message.text) for message in messages))
