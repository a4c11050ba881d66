"""The settings of `train`: the model, the stages, and how they are computed. A section of `settings.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from psyllm.core.records import Frozen
from psyllm.core.setting_types import NotNegative, Positive, Share


class ModelShape(Frozen):
    """Shape of a model trained from nothing."""

    layers: Positive = Field(4, description="decoder blocks")
    width: Positive = Field(192, description="size of the hidden state")
    heads: Positive = Field(3, description="attention heads")
    vocabulary: Positive = Field(4096, description="most pieces of the tokenizer")
    context_tokens: Positive = Field(384, description="longest row")


class TrainingStage(Frozen):
    """One stage of training."""

    steps: NotNegative = Field(100, description="most optimiser steps; 0 leaves the stage out")
    batch_rows: Positive = Field(4, description="rows in a step")
    row_tokens: NotNegative = Field(
        0, description="tokens in a row; 0 takes the model's context; shorter rows are quicker"
    )
    rows_at_once: NotNegative = Field(
        0, description="rows computed at once, to fit a small memory; 0 takes all; must divide `batch_rows`"
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw",
        description="muon learns more from a token where a model is trained from nothing: matrices take orthogonal steps, all else AdamW's",
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(1.5e-3, description="peak learning rate")
    warmup_steps: NotNegative = Field(10, description="steps of linear warm-up")
    steady_share: Share = Field(0.5, description="share of the steps until which the rate stays at its peak")
    last_rate_share: Share = Field(0.02, description="and what of the peak is left at the end of its fall")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.1, description="weight decay")
    evaluate_every_steps: Positive = Field(20, description="steps between dev losses and checkpoints")
    most_dev_rows: Positive = Field(128, description="most rows of the dev split measured each time")
    patience: Positive = Field(3, description="evaluations without a better dev loss before stopping early")


class TrainSettings(Frozen):
    """The stages, the model and the seed."""

    base: Path | None = Field(
        None, description="local checkpoint folder to start from; none trains a small model from nothing"
    )
    model: ModelShape = Field(default_factory=ModelShape)
    adapt: TrainingStage = Field(default_factory=TrainingStage)
    answer: TrainingStage = Field(default_factory=lambda: TrainingStage(learning_rate=7e-4))
    general_share: Share = Field(
        0.0, description="share of general text in the adapt stage; needs a source named `general`"
    )
    keep_checkpoints: Positive = Field(
        2, description="checkpoints kept besides the best while a stage runs, to resume from"
    )
    processes: Literal["one", "ddp", "fsdp"] = Field(
        "one",
        description="how several processes (torchrun, or --processes) share the work: ddp has the whole model in each, fsdp a part of it; one is a single process",
    )
    wait_s: Positive = Field(
        600, description="seconds after which processes that wait for each other give up"
    )
    threads: NotNegative = Field(0, description="CPU threads; 0 takes all cores")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="arithmetic of the forward pass (weights stay fp32); auto is bf16 where the processor has it",
    )
    seed: int = Field(20261123, description="seed of weights, order and dropout")
