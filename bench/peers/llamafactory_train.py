"""The peer of `bench/train.py`: LLaMA-Factory training on the same ids, run by its own Python.

    llamafactory_train.py JOB_FOLDER RESULT_FOLDER

All weights are trained (`finetuning_type: full`); what decides what is learnt (rate, decay, steps) is
the job's. All else is as LLaMA-Factory has it: fp32, batches padded to their longest and to a multiple of
8, activations computed again in the backward pass, its own attention and order. Ready ids and labels enter
by `tokenized_path`, so its template is not used.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import datasets
import torch
from transformers import TrainerCallback

from training_job import START, Job, Meter, read_examples, trainer_arguments

# LLaMA-Factory imports it for sounds; the published builds ask for CUDA's libraries (see llamafactory.txt).
sys.modules.setdefault("torchaudio", ModuleType("torchaudio"))
from llamafactory.train.tuner import run_exp  # noqa: E402


class Watching(TrainerCallback):
    """Shows the model to the meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_train_begin(self, args: object, state: object, control: object, **kwargs: Any) -> None:  # noqa: ANN401
        """Watch the model that is trained."""
        del args, state, control
        self._meter.watch(kwargs["model"])


def main(folder: Path, result: Path) -> None:
    """Train and write what was measured."""
    job = Job.read(folder)
    torch.set_num_threads(job.threads)
    meter = Meter(job)
    columns = read_examples(folder)
    columns["attention_mask"] = [[1] * len(ids) for ids in columns["input_ids"]]
    with tempfile.TemporaryDirectory() as scratch:
        ready = f"{scratch}/ready"
        datasets.DatasetDict({"train": datasets.Dataset.from_dict(columns)}).save_to_disk(ready)
        arguments = {
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "full",
            "model_name_or_path": str(folder / START),
            "template": "default",
            "dataset": "ready",
            "tokenized_path": ready,
            "cutoff_len": job.row_tokens,
            "output_dir": f"{scratch}/out",
            "per_device_train_batch_size": job.examples_a_step,
            **trainer_arguments(job),
        }
        run_exp(arguments, callbacks=[Watching(meter)])
    meter.finish(result, "fp32")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
