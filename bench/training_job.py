"""What `bench/train.py` tells its contenders, and the meter that each of them is measured by.

In: a folder with `job.json`, `examples.json` and `start/` (weights and tokenizer). Out: `result.json`
and `weights.pt` in a folder of the contender's own. A peer's own Python imports this file too, so it
knows torch and the standard library only. Nothing here trains.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

JOB, EXAMPLES, START, RESULT, WEIGHTS = "job.json", "examples.json", "start", "result.json", "weights.pt"
BETAS = (0.9, 0.95)


@dataclass(frozen=True)
class Job:
    """One training that every contender does: every example once, about the same tokens in a step."""

    row_tokens: int
    rows_a_step: int  # where rows are packed
    examples_a_step: int  # where they are padded: so many hold as many tokens as the rows
    steps: int
    untimed_steps: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    pad: int
    precision: str  # of those that choose it by the machine
    threads: int
    seed: int

    def write(self, folder: Path) -> None:
        """Write it for the contenders."""
        (folder / JOB).write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def read(cls, folder: Path) -> Job:
        """Return the job of a folder."""
        return cls(**json.loads((folder / JOB).read_text("utf-8")))


def read_examples(folder: Path) -> dict[str, list[list[int]]]:
    """Return columns of ready `input_ids` and `labels`."""
    found: dict[str, list[list[int]]] = json.loads((folder / EXAMPLES).read_text("utf-8"))
    return found


def trainer_arguments(job: Job) -> dict[str, Any]:
    """Return the arguments of a transformers Trainer that decide what is learnt, alike for all."""
    return {
        "num_train_epochs": 1,
        "learning_rate": job.learning_rate,
        "weight_decay": job.weight_decay,
        "adam_beta1": BETAS[0],
        "adam_beta2": BETAS[1],
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": job.warmup_steps,
        "seed": job.seed,
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "report_to": "none",
    }


class Mark(NamedTuple):
    """What there was at the end of a step: both clocks, and what the model had seen so far."""

    wall_s: float
    cpu_s: float
    tokens: int  # that are no padding
    places: int  # padding counted as well


class Meter:
    """Notes clocks and tokens at every step, whoever trains."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._tokens: Any = 0  # stays on the card until a step ends
        self._places = 0
        self._marks: list[Mark] = []
        self._model: torch.nn.Module | None = None
        register_optimizer_step_post_hook(self._step)

    def watch(self, model: torch.nn.Module) -> None:
        """Count what enters this model while it trains."""
        self._model = model
        find: Any = model.get_input_embeddings
        find().register_forward_pre_hook(self._seen)

    def finish(self, folder: Path, precision: str) -> None:
        """Write the result and the weights."""
        peak = _peak_bytes()
        if self._model is None or len(self._marks) <= self._job.untimed_steps:
            message = (
                f"{len(self._marks)} steps were taken, and the first {self._job.untimed_steps} are not timed"
            )
            raise RuntimeError(message)
        first, last = self._marks[self._job.untimed_steps - 1], self._marks[-1]
        result = {
            "wall_s": last.wall_s - first.wall_s,
            "cpu_s": last.cpu_s - first.cpu_s,
            "tokens": last.tokens - first.tokens,
            "all_tokens": last.tokens,
            "fill": last.tokens / last.places,
            "steps": len(self._marks),
            "precision": precision,
            "peak_bytes": peak,
        }
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self._model.state_dict(), folder / WEIGHTS)
        (folder / RESULT).write_text(json.dumps(result), "utf-8")

    def _seen(self, embedding: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if embedding.training:
            self._tokens += (given[0] != self._job.pad).sum()
            self._places += given[0].numel()

    def _step(self, *_: object) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self._marks.append(Mark(time.perf_counter(), time.process_time(), int(self._tokens), self._places))


def _peak_bytes() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    found = {"process": int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024}
    if torch.cuda.is_available():
        found["card"] = torch.cuda.max_memory_allocated()
    return found
