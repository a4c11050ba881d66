"""The contenders of `bench/train.py` that our own Python can run: ours, transformers' Trainer, TRL.

    python bench/contenders.py NAME JOB_FOLDER RESULT_FOLDER

Each is run in a process of its own. Every one starts from the same weights and is given the same ready
ids and labels; what it makes of them, padding or rows, is its own. Nothing here compares.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)

from psyllm.core.train_settings import TrainingStage
from psyllm.lm.activation import fuse_activations
from psyllm.lm.checkpoint import quiet_transformers
from psyllm.lm.pack import pack_blocks
from psyllm.lm.template import Example
from psyllm.train.loop import train_stage
from psyllm.train.machine import choose_attention, keep_freed_memory
from psyllm.train.watch import Plan
from training_job import START, Job, Meter, read_examples, trainer_arguments


class Run(NamedTuple):
    """What a contender works with."""

    job: Job
    folder: Path
    scratch: Path
    meter: Meter

    def model(self) -> PreTrainedModel:
        """Return the start, in fp32, watched by the meter."""
        make: Callable[..., Any] = AutoModelForCausalLM.from_pretrained
        model: PreTrainedModel = make(self.folder / START, dtype=torch.float32, local_files_only=True)
        self.meter.watch(model)
        return model

    def tokenizer(self) -> Any:  # noqa: ANN401 - transformers leaves it untyped
        """Return the tokenizer as transformers reads it."""
        make: Callable[..., Any] = AutoTokenizer.from_pretrained
        return make(self.folder / START, local_files_only=True)

    def dataset(self) -> Any:  # noqa: ANN401 - datasets leaves it untyped
        """Return the ready ids and labels."""
        import datasets

        datasets.disable_progress_bars()
        return datasets.Dataset.from_dict(read_examples(self.folder))


def ours(run: Run) -> str:
    """Train as `psyllm train` does where the settings choose."""
    job = run.job
    columns = read_examples(run.folder)
    examples = [Example(*pair) for pair in zip(columns["input_ids"], columns["labels"], strict=True)]
    rows = pack_blocks(examples, job.row_tokens, job.pad)
    model = run.model()
    keep_freed_memory()
    choose_attention(model, job.row_tokens)
    fuse_activations(model)
    stage = TrainingStage(
        steps=job.steps,
        batch_rows=job.rows_a_step,
        learning_rate=job.learning_rate,
        warmup_steps=job.warmup_steps,
        steady_share=1.0,
        last_rate_share=0.0,
        weight_decay=job.weight_decay,
        evaluate_every_steps=job.steps,
    )
    plan = Plan("answer", stage, run.scratch, job.seed, 1, job.precision, compile="auto")
    train_stage(model, rows, rows.take([]), plan, lambda _logged: None)
    return job.precision


def trainer_default(run: Run) -> str:
    """Train with transformers' Trainer as it is: each batch padded to its longest, fp32, any order."""
    return _trainer(run, "fp32", train_sampling_strategy="random")


def trainer_best(run: Run) -> str:
    """Train with transformers' Trainer at its best: alike lengths together, bf16 where the machine has it."""
    return _trainer(run, run.job.precision, train_sampling_strategy="group_by_length")


def _trainer(run: Run, precision: str, **more: Any) -> str:  # noqa: ANN401 - handed on
    make: Callable[..., TrainingArguments] = TrainingArguments
    arguments = make(
        output_dir=str(run.scratch),
        per_device_train_batch_size=run.job.examples_a_step,
        log_level="error",
        **_in(precision),
        **trainer_arguments(run.job),
        **more,
    )
    trainer = Trainer(
        model=run.model(),
        args=arguments,
        train_dataset=run.dataset(),
        data_collator=DataCollatorForSeq2Seq(run.tokenizer()),
    )
    trainer.train()
    return precision


def trl_default(run: Run) -> str:
    """Train with TRL and `packing=True`, all else as it is: rows flattened, activations computed again."""
    return _trl(run)


def trl_best(run: Run) -> str:
    """Train with TRL at its best here: rows cut from one chain, whose parts see each other; activations kept."""
    return _trl(run, packing_strategy="wrapped", gradient_checkpointing=False)


def _trl(run: Run, **more: Any) -> str:  # noqa: ANN401 - handed on
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    make: Callable[..., SFTConfig] = SFTConfig
    arguments = make(
        output_dir=str(run.scratch),
        per_device_train_batch_size=run.job.rows_a_step,
        packing=True,
        max_length=run.job.row_tokens,
        log_level="error",
        **_in(run.job.precision),
        **trainer_arguments(run.job),
        **more,
    )
    model: Any = run.model()
    SFTTrainer(
        model=model, args=arguments, train_dataset=run.dataset(), processing_class=run.tokenizer()
    ).train()
    return run.job.precision


def _in(precision: str) -> dict[str, bool]:
    return {"bf16": precision == "bf16", "fp16": precision == "fp16"}


CONTENDERS: dict[str, Callable[[Run], str]] = {
    "ours": ours,
    "trainer": trainer_default,
    "trainer-best": trainer_best,
    "trl": trl_default,
    "trl-best": trl_best,
}


def main(name: str, folder: Path, result: Path) -> None:
    """Run one contender and write what was measured."""
    job = Job.read(folder)
    torch.set_num_threads(job.threads)
    meter = Meter(job)
    with tempfile.TemporaryDirectory() as scratch, quiet_transformers():
        precision = CONTENDERS[name](Run(job, folder, Path(scratch), meter))
    meter.finish(result, precision)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        print("run by bench/train.py")
