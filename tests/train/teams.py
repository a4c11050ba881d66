"""Several processes of one training, on the loopback interface, for tests.

Told their places as torchrun would tell them, but without its agent: what is
tested is what the processes do by themselves. `start` starts a command in new
ones; `trained` lets forks train what `Task`s say.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from train.forked import PATIENCE_S, Fork

TESTS = Path(__file__).parent.parent


class Task(NamedTuple):
    """One stage to train: the family of the model, how it is shared, where."""

    family: str
    way: str
    folder: str
    stage: dict
    precision: str = "fp32"
    dropout: float = 0.0
    checkpointing: bool = False
    learns_dev: bool = True
    loss: str = "auto"
    scale: float = 0.0
    is_adapted: bool = False


def environments(count: int) -> list[dict[str, str]]:
    """Return what torchrun would set for each of so many processes on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    common = {
        **os.environ,
        "PYTHONPATH": source,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "OMP_NUM_THREADS": "1",
    }
    return [{**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def start(command: Sequence[str], count: int) -> list[subprocess.Popen]:
    """Start so many processes of one command."""
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in environments(count)
    ]


class Said(NamedTuple):
    """How a process ended and what it wrote."""

    status: int
    out: str
    err: str


def ended(processes: Sequence[subprocess.Popen]) -> list[Said]:
    """Wait for all; a process that hangs is a failure."""
    try:
        said = [process.communicate(timeout=PATIENCE_S) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [Said(process.returncode, *words) for process, words in zip(processes, said, strict=True)]


def ended_by_force(processes: Sequence[subprocess.Popen]) -> None:
    """Kill processes that may hang, and read them to their end."""
    for process in processes:
        process.kill()
    ended(processes)


def trained(tasks: Sequence[Task], count: int) -> list[dict]:
    """Train the tasks in so many processes and return what the first wrote down of each."""
    forks = [Fork(_train_all, environment, tasks) for environment in environments(count)]
    first, *_ = [fork.result() for fork in forks]
    return first


FAMILIES = ("llama", "gpt2")


def model_of(task: Task):
    """Return the tiny model that a task begins with."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    size = {"vocab_size": 64, "bos_token_id": None, "eos_token_id": None}
    if task.family == "gpt2":
        drops = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), task.dropout)
        model = GPT2LMHeadModel(GPT2Config(n_positions=16, n_embd=16, n_layer=2, n_head=2, **drops, **size))
    else:
        shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
        model = LlamaForCausalLM(
            LlamaConfig(**shape, **size, max_position_embeddings=16, tie_word_embeddings=True)
        )
    if task.is_adapted:
        from psyllm.core.train_settings import Adapter
        from psyllm.train.adapters import attach

        attach(model, Adapter(method="lora", targets=("q_proj", "v_proj")), range(0), seed=4)
    return model


@contextmanager
def scaled_by(first: float):
    """Begin with another scale of fp16's gradients than torch's 65,536, if one is given."""
    import torch

    from psyllm.train import checked_steps

    before = checked_steps.scaler_for
    if first:
        checked_steps.scaler_for = lambda _, device: torch.amp.GradScaler(device, init_scale=first)
    try:
        yield
    finally:
        checked_steps.scaler_for = before


def rows_of(count: int, seed: int):
    """Return rows that learn very different numbers of tokens."""
    import numpy as np

    from psyllm.lm.pack import Rows, pack_wrapped
    from psyllm.lm.template import NOT_LEARNT

    chance = np.random.default_rng(seed)
    rows = pack_wrapped([chance.integers(5, 64, count * 16).tolist()], 16, 0)
    labels = rows.labels.copy()
    for number, keep in enumerate(chance.integers(0, 17, count)):
        labels[number, keep:] = NOT_LEARNT
    return Rows(rows.ids, labels, rows.positions)


def train(task: Task, team) -> dict:
    """Train one task and return its losses and a digest of its weights."""
    from psyllm.core.train_settings import TrainingStage
    from psyllm.train.loop import train_stage
    from psyllm.train.processes import Sharing
    from psyllm.train.stopping import Stop
    from psyllm.train.watch import Plan

    model = model_of(task)
    stage = TrainingStage.model_validate(task.stage)
    sharing = Sharing(team, task.way, Stop())
    plan = Plan(
        "adapt",
        stage,
        Path(task.folder),
        5,
        9,
        task.precision,
        loss=task.loss,
        gradient_checkpointing=task.checkpointing,
        sharing=sharing,
    )
    rows = rows_of(24, 1)
    dev = rows.take(range(7)) if task.learns_dev else rows_of(7, 2)
    with scaled_by(task.scale):
        done = train_stage(model, rows, dev, plan, lambda _: None)
    weights = {name: weight.detach().flatten().tolist() for name, weight in model.named_parameters()}
    kept = ("step", "loss", "dev_loss", "grad_norm", "learning_rate")
    logged = [{name: line[name] for name in kept if name in line} for line in done.logged]
    return {"steps": done.steps, "best": done.best, "logged": logged, "weights": weights}


def _train_all(environment: dict[str, str], tasks: Sequence[Task]) -> list[dict]:
    """Train the tasks as the process that the environment says."""
    os.environ.update(environment)
    import torch

    from psyllm.train.processes import joined

    torch.set_num_threads(1)
    with joined("ddp", 60) as team:
        assert team.count == int(environment["WORLD_SIZE"])
        return [train(task, team) for task in tasks]
