"""A model in copies or in shards, and its checkpoint in shards.

In: a model, a team. Out: the module whose forward gives the loss, wrapped as
asked for, or a refusal; a checkpoint's `__<rank>_0.distcp` and `.metadata`,
which any number of processes can read back. Gradients are averaged over the
processes when a backward pass ends. Nothing here orders steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel

from psyllm.core.errors import BadSetting
from psyllm.lm.loss import Batch
from psyllm.lm.number_types import TYPES
from psyllm.train.processes import Team

WRAPPERS: dict[str, type[object]] = {"ddp": DistributedDataParallel, "fsdp": FSDPModule}
METADATA = ".metadata"

Loss = Callable[[PreTrainedModel, Batch], torch.Tensor]


class Learner(nn.Module):
    """A model under a root whose forward gives the loss.

    DDP and FSDP act when the module that they wrap is called. A loss that calls
    the model's body and head by themselves would pass them by, and every
    process would train a model of its own, silently.
    """

    def __init__(self, model: PreTrainedModel, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self._loss = loss

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the sum of the losses of the learnt tokens."""
        return self._loss(self.model, batch)


def spread(learner: Learner, way: str, team: Team, precision: str) -> nn.Module:
    """Return the learner in copies (`ddp`) or in shards (`fsdp`) over the team, or as it is (`one`).

    Raises:
        BadSetting: it came out otherwise than asked for.
    """
    wrapped: nn.Module = learner
    if way == "ddp":
        # gradients lie in what is exchanged: a copy of their own would take 4 bytes a weight more
        wrapped = DistributedDataParallel(learner, forward_sync_buffers=False, gradient_as_bucket_view=True)
    elif way == "fsdp":
        _shard(learner, team, None if precision == "fp32" else TYPES[precision])
    check_spread(wrapped, way)
    return wrapped


def check_spread(module: nn.Module, way: str) -> None:
    """Refuse a module that is not spread as asked for.

    Raises:
        BadSetting: it is wrapped otherwise; nothing was trained.
    """
    found = next((name for name, wrapper in WRAPPERS.items() if isinstance(module, wrapper)), "one")
    if found != way:
        message = f"train.processes={way} was asked for, and {type(module).__name__} is spread as {found}"
        raise BadSetting(message, "nothing was trained; set train.processes to what this machine can do")


def _shard(learner: Learner, team: Team, low: torch.dtype | None) -> None:
    """Shard block by block; what is in no block (embeddings, head, last norm) goes with the root.

    A block's matrices are gathered in the low type from shards in fp32: what
    autocast computes with, but no cast copy outlives the block. Norms keep fp32
    as under autocast, one group a block, and so does what passes between blocks.
    The root is in fp32 too: tied weights are one parameter.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    mesh = init_device_mesh(device, (team.count,))
    policy = MixedPrecisionPolicy(param_dtype=low, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for block in _blocks(learner.model):
        norms = [part for part in block.modules() if low is not None and _is_norm(part)]
        if norms:
            fully_shard(norms, mesh=mesh)
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(learner, mesh=mesh)


def _is_norm(module: nn.Module) -> bool:
    """Return whether a module has weights, and vectors only."""
    weights = list(module.parameters(recurse=False))
    return bool(weights) and all(weight.ndim == 1 for weight in weights)


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the blocks of a decoder: what stands in its outermost lists of modules."""
    for child in module.children():
        if isinstance(child, nn.ModuleList):
            yield from child
        else:
            yield from _blocks(child)


@contextmanager
def accumulating(module: nn.Module, *, is_last: bool) -> Iterator[None]:
    """Exchange gradients only after the last part of a step."""
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(is_last)
    if isinstance(module, DistributedDataParallel) and not is_last:
        with module.no_sync():
            yield
    else:
        yield


def write_shards(folder: Path, learner: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write weights and the optimiser's state, every process its shards, fsynced."""
    if isinstance(learner, FSDPModule):
        learner.reshard()  # measuring leaves the root whole, and the optimiser knows its shards only
    save(
        _state(learner.get_submodule("model"), optimizer),
        storage_writer=FileSystemWriter(folder, sync_files=True),
    )


def read_shards(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Read back, in place, what `write_shards` of any number of processes has written."""
    _make_moments(optimizer)
    load(_state(model, optimizer), storage_reader=FileSystemReader(folder))


def read_whole_weights(folder: Path, model: nn.Module) -> None:
    """Give a model that is not sharded, in every process, the weights of a sharded checkpoint."""
    load({"model": _weights(model)}, storage_reader=FileSystemReader(folder))


def is_sharded(folder: Path) -> bool:
    """Return whether a checkpoint lies in shards."""
    return (folder / METADATA).is_file()


def _state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    moments = {
        f"{name}.{kind}": value
        for name, weight in model.named_parameters()
        for kind, value in optimizer.state.get(weight, {}).items()
    }
    return {"model": _weights(model), "optimizer": moments}


def _make_moments(optimizer: torch.optim.Optimizer) -> None:
    """Let the optimiser make its state, to be read into: a step at a rate of nothing moves no weight."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = torch.zeros_like(group["lr"]) if torch.is_tensor(group["lr"]) else 0.0
        for weight in group["params"]:
            weight.grad = torch.zeros_like(weight)
    optimizer.step()
    optimizer.zero_grad()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in model.named_parameters()}
