"""The memory of several answers that are decoded as one batch.

A fixed number of slots, each with its keys and values, of fixed length: every
step computes the same shapes whoever is speaking, so an answer does not depend
on what else is being answered. In: token ids for one slot (its prompt) or for
all (one token each). Out: logits. Nothing here draws or decodes text.
"""

from __future__ import annotations

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache


class SlotCache(Cache):
    """Keys and values of shape (slots, heads, length, head size) for every layer."""

    def __init__(self, slots: int, length: int) -> None:
        super().__init__(layers=[])
        self._slots = slots
        self._length = length
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []
        self._row: int | None = None
        self._at = torch.zeros(slots, dtype=torch.long)
        self._every = torch.arange(slots)

    def point_at(self, row: int | None, at: torch.Tensor) -> None:
        """Say where the next tokens go: one slot's positions, or one position in every slot."""
        self._row = row
        self._at = at

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *_arguments: object,
        **_named: object,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store new keys and values; return those that the queries may look at."""
        if layer_idx == len(self._keys):
            shape = (self._slots, key_states.shape[1], self._length, key_states.shape[3])
            self._keys.append(torch.zeros(shape, dtype=key_states.dtype))
            self._values.append(torch.zeros(shape, dtype=value_states.dtype))
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        if self._row is None:
            keys[self._every, :, self._at] = key_states[:, :, 0]
            values[self._every, :, self._at] = value_states[:, :, 0]
            return keys, values
        end = int(self._at[-1]) + 1
        keys[self._row, :, self._at] = key_states[0]
        values[self._row, :, self._at] = value_states[0]
        return keys[self._row : self._row + 1, :, :end], values[self._row : self._row + 1, :, :end]

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002 - the base class asks for it
        """Return 0: positions are always given by hand."""
        return 0


class Slots:
    """A model with memory for `count` answers of at most `length` tokens."""

    def __init__(self, model: PreTrainedModel, count: int, length: int) -> None:
        self.count = count
        self.length = length
        self._model = model
        self._cache = SlotCache(count, length)
        self._places = torch.arange(length)

    @torch.inference_mode()
    def read(self, row: int, ids: list[int], start: int) -> torch.Tensor:
        """Read a slot's prompt from position `start` on; return the last logits, shape (vocabulary,)."""
        at = torch.arange(start, start + len(ids))
        self._cache.point_at(row, at)
        seen = self._places[None, : start + len(ids)] <= at[:, None]
        return self._forward(torch.tensor([ids]), at[None], seen[None, None])[0]

    @torch.inference_mode()
    def step(self, ids: list[int], positions: list[int]) -> torch.Tensor:
        """Give every slot one token; return logits of shape (slots, vocabulary).

        An idle slot is given any token at position 0, which its next prompt overwrites.
        """
        at = torch.tensor(positions)
        self._cache.point_at(None, at)
        seen = self._places[None] <= at[:, None]
        return self._forward(torch.tensor(ids)[:, None], at[:, None], seen[:, None, None])

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        found = self._model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=seen,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = found.logits[:, -1].float()
        return logits
