"""How the next token is drawn, and how ids become text that can be shown at once.

In: one row of logits, the tokens so far, settings, a seeded generator; ids.
Out: one id; whole characters. The same logits and seed give the same id.
Nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from psyllm.core.settings import Decoding
from psyllm.lm.tokenizer import Tokenizer

Logits: TypeAlias = npt.NDArray[np.float32]
HALF_A_CHARACTER = "\ufffd"
LIKELY_KEPT = 1024  # the nucleus is sought among so many first: sorting a large vocabulary is slow


def draw(
    logits: Logits,
    decoding: Decoding,
    said: Collection[int],
    never: Collection[int] | npt.NDArray[np.int64],
    random: np.random.Generator,
) -> int:
    """Return the next id: penalty on what was said, then temperature, then the nucleus.

    `logits` has shape (vocabulary,). Temperature 0 takes the likeliest.
    """
    scores = logits.astype(np.float64)
    if said and decoding.repetition_penalty != 1:
        again = np.fromiter(set(said), dtype=np.int64)
        found = scores[again]
        penalty = decoding.repetition_penalty
        scores[again] = np.where(found > 0, found / penalty, found * penalty)
    scores[np.asarray(never, dtype=np.int64)] = -np.inf
    if decoding.temperature == 0:
        return int(scores.argmax())
    scores = (scores - scores.max()) / decoding.temperature
    shares = np.exp(scores)
    shares /= shares.sum()
    ids = _nucleus(shares, decoding.top_p)
    steps = shares[ids].cumsum()
    return int(ids[np.searchsorted(steps, random.random() * steps[-1], side="right").clip(max=len(ids) - 1)])


def _nucleus(shares: npt.NDArray[np.float64], top_p: float) -> npt.NDArray[np.intp]:
    """Return the fewest ids, likeliest first, whose shares reach `top_p`."""
    if len(shares) > LIKELY_KEPT:
        likely = np.argpartition(shares, -LIKELY_KEPT)[-LIKELY_KEPT:]
        if shares[likely].sum() >= top_p:
            likely.sort()
            order = likely[np.argsort(-shares[likely])]
            return _reach(order, shares, top_p)
    return _reach(np.argsort(-shares), shares, top_p)


def _reach(
    order: npt.NDArray[np.intp], shares: npt.NDArray[np.float64], top_p: float
) -> npt.NDArray[np.intp]:
    enough = int(np.searchsorted(shares[order].cumsum(), top_p)) + 1
    return order[:enough]


class Speaker:
    """Turns ids into text piece by piece, whole characters only.

    Bytes that never become a character are left out, and what was shown once
    is never taken back, also where a stray byte spoils the bytes before it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._text = ""  # of these ids, as shown

    def add(self, token: int) -> str:
        """Return the text that this id completes, often none."""
        self._ids.append(token)
        found = self._tokenizer.decode(self._ids)
        text = found.replace(HALF_A_CHARACTER, "")  # a piece may end one character and begin the next
        if not text.startswith(self._text):
            if found.endswith(HALF_A_CHARACTER):
                return ""
            self._ids, self._text = [token], ""
            text = self._tokenizer.decode(self._ids).replace(HALF_A_CHARACTER, "")
        new = text[len(self._text) :]
        self._text = text
        return new
