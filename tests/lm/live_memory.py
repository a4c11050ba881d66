"""What autograd keeps, and what is alive at a step's highest, seen from torch's own hooks."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from psyllm.lm.loss import summed_loss


def some_rows(vocabulary, rows, row_tokens):
    ids = torch.randint(0, vocabulary, (rows, row_tokens), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, 0] = -100
    positions = torch.arange(row_tokens) % (row_tokens // 2)
    return {"input_ids": ids, "labels": labels, "position_ids": positions.expand(rows, row_tokens)}


def kept_bytes(model, rows, row_tokens, low=None):
    """Bytes of all different tensors that autograd keeps of the body, the weights apart."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    seen = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = (
                storage.nbytes(),
                tensor,
            )  # kept alive, so that no place is used twice
        return tensor

    batch = some_rows(model.config.vocab_size, rows, row_tokens)
    inputs = {"input_ids": batch["input_ids"], "position_ids": batch["position_ids"]}
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", dtype=low or torch.bfloat16, enabled=low is not None),
    ):
        model.train().base_model(**inputs, use_cache=False)
    return sum(size for size, _ in seen.values())


class Alive(TorchDispatchMode):
    """Adds up the storages that operations make, and takes away those that are gone."""

    def __init__(self):
        super().__init__()
        self.now = 0
        self.peak = 0
        self._sizes = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, torch.Tensor):
                self._meet(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return found

    def know(self, tensor):
        self._sizes[tensor.untyped_storage()._cdata] = 0

    def _meet(self, storage):
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.now += storage.nbytes()
            weakref.finalize(storage, self._go, key)

    def _go(self, key):
        self.now -= self._sizes.pop(key, 0)


def peak_bytes(model, rows, row_tokens, way, parts=1):
    """The most bytes alive in the second of two steps, the weights included."""
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    alive = Alive()
    for weight in model.parameters():
        alive.know(weight)
    with alive:
        for _ in range(2):
            alive.peak = 0
            for _ in range(parts):
                batch = some_rows(model.config.vocab_size, rows, row_tokens)
                summed_loss(model.train(), batch, way).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return alive.peak + sum(weight.nbytes for weight in model.parameters())
