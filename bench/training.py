"""The training loop beside a plain transformers Trainer with dynamic padding, in one run.

Run `python bench/training.py [THREADS]`. The same model, the same dialogues of
the starter corpus, the same number of dialogues a step. Ours packs rows in
blocks, passes only learnt positions through the head and keeps freed memory;
the peer pads each batch to its longest dialogue, as Trainer does by default.
Prints tokens that are no padding per second of the wall and of the processor
(a shared machine disturbs the first only), and the ratios.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.data import Dataset
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from psyllm.core.progress import Progress, listening
from psyllm.core.starter import starter_records
from psyllm.core.train_settings import ModelShape, TrainingStage
from psyllm.lm.checkpoint import build, quiet_transformers
from psyllm.lm.pack import pack_blocks
from psyllm.lm.template import NOT_LEARNT, PAD, Example, encode_training, record_messages
from psyllm.lm.tokenizer import Tokenizer, train_tokenizer
from psyllm.train.loop import train_stage
from psyllm.train.machine import choose_attention, keep_freed_memory, on_threads
from psyllm.train.watch import Plan

STEPS = 14
WARM_STEPS = 4
SEED = 20261123
SHAPE = ModelShape()
BATCH = 8  # dialogues a step; packing puts about as many into the same number of rows


class Speed(NamedTuple):
    """Tokens that are no padding, per second of the wall and of the processor."""

    wall: float
    cpu: float


class Clock:
    """Notes both clocks after the warm-up and at the end."""

    def __init__(self) -> None:
        self.marks: dict[int, tuple[float, float]] = {}

    def __call__(self, step: int) -> None:
        """Note the time at a step's end."""
        self.marks[step] = (time.perf_counter(), time.process_time())

    def speed(self, tokens: float) -> Speed:
        """Return the speed, given the tokens of all steps after the warm-up."""
        (wall, cpu), (last_wall, last_cpu) = self.marks[WARM_STEPS], self.marks[STEPS]
        return Speed(tokens / (last_wall - wall), tokens / (last_cpu - cpu))


def dialogues() -> tuple[Tokenizer, list[Example]]:
    """Return the starter corpus as examples."""
    records = list(starter_records())
    tokenizer = train_tokenizer([text for record in records for text in record.texts()], SHAPE.vocabulary)
    talks = [talk for record in records for talk in record_messages(record)]
    return tokenizer, [
        one for talk in talks for one in encode_training(tokenizer, talk, SHAPE.context_tokens)
    ]


class Padded(Dataset[Example]):
    """The dialogues over and over in their order."""

    def __init__(self, examples: list[Example]) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return STEPS * BATCH

    def __getitem__(self, index: int) -> Example:
        return self._examples[index * 7 % len(self._examples)]


def padder(pad: int) -> Callable[[list[Example]], dict[str, torch.Tensor]]:
    """Return the collator that pads a batch to its longest."""

    def collate(batch: list[Example]) -> dict[str, torch.Tensor]:
        longest = max(len(one.ids) for one in batch)
        rest = [longest - len(one.ids) for one in batch]
        pairs = list(zip(batch, rest, strict=True))
        return {
            "input_ids": torch.tensor([one.ids + [pad] * more for one, more in pairs]),
            "labels": torch.tensor([one.labels + [NOT_LEARNT] * more for one, more in pairs]),
            "attention_mask": torch.tensor([[1] * len(one.ids) + [0] * more for one, more in pairs]),
        }

    return collate


def plain(tokenizer: Tokenizer, examples: list[Example], folder: Path, *, bf16: bool) -> Speed:
    """Measure transformers' Trainer."""
    clock = Clock()

    class Ticks(TrainerCallback):
        """Looks at the clock."""

        def on_step_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
        ) -> None:
            """Note the time."""
            del args, control, kwargs
            clock(state.global_step)

    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        train_sampling_strategy="sequential",
        bf16=bf16,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        log_level="error",
        seed=1,
    )
    padded = Padded(examples)
    with quiet_transformers():
        trainer = Trainer(
            model=build(SHAPE, tokenizer, seed=1),
            args=arguments,
            train_dataset=padded,
            data_collator=padder(tokenizer.mark(PAD)),
            callbacks=[Ticks()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.speed(sum(len(padded[index].ids) for index in range(WARM_STEPS * BATCH, STEPS * BATCH)))


def ours(tokenizer: Tokenizer, examples: list[Example], folder: Path, *, bf16: bool) -> Speed:
    """Measure the loop."""
    rows = pack_blocks(examples, SHAPE.context_tokens, tokenizer.mark(PAD))
    fill = sum(len(one.ids) for one in examples) / rows.ids.size
    clock = Clock()

    def tick(progress: Progress) -> None:
        if "tokens/s" in progress.note:
            clock(progress.done)

    model = build(SHAPE, tokenizer, seed=1)
    choose_attention(model, SHAPE.context_tokens)
    stage = TrainingStage(steps=STEPS, batch_rows=BATCH, evaluate_every_steps=STEPS)
    plan = Plan("answer", stage, folder, SEED, 1, "bf16" if bf16 else "fp32")
    with listening(tick):
        train_stage(model, rows, rows.take([]), plan, lambda _logged: None)
    return clock.speed((STEPS - WARM_STEPS) * BATCH * SHAPE.context_tokens * fill)


def main() -> None:
    """Measure and print."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    tokenizer, examples = dialogues()
    print(f"{SHAPE}, {len(examples)} dialogues, {threads} threads, {STEPS - WARM_STEPS} timed steps")
    print(f"{'':34}{'tokens/s wall':>15}{'tokens/s CPU':>15}{'ratio (CPU)':>13}")
    with tempfile.TemporaryDirectory() as scratch, on_threads(threads):
        found = {
            "Trainer, dynamic padding, fp32": plain(tokenizer, examples, Path(scratch) / "a", bf16=False),
            "Trainer, dynamic padding, bf16": plain(tokenizer, examples, Path(scratch) / "b", bf16=True),
        }
        keep_freed_memory()
        found["this loop, fp32"] = ours(tokenizer, examples, Path(scratch) / "c", bf16=False)
        found["this loop, bf16"] = ours(tokenizer, examples, Path(scratch) / "d", bf16=True)
    peer = found["Trainer, dynamic padding, fp32"]
    for name, speed in found.items():
        print(f"{name:34}{speed.wall:15,.0f}{speed.cpu:15,.0f}{speed.cpu / peer.cpu:13.2f}")


if __name__ == "__main__":
    main()
