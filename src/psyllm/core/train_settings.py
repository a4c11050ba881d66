"""The settings of `train`: the model, the stages, and how they are computed. A section of `settings.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from psyllm.core.records import Frozen
from psyllm.core.setting_types import NotNegative, Positive, Share

STAGES_OF_WORDS = ("adapt", "answer")  # in their order; `prefer` learns from ratings, after both


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
    epochs: Annotated[float, Field(ge=0)] = Field(
        0, description="passes over the stage's rows instead of `steps`; 0 counts by `steps`"
    )
    batch_rows: Positive = Field(4, description="rows in a step")
    row_tokens: NotNegative = Field(
        0, description="tokens in a row; 0 takes the model's context; shorter rows are quicker"
    )
    rows_at_once: NotNegative = Field(
        0,
        description="rows that a process computes at once, to fit a small memory; 0 takes all; must divide its part of `batch_rows`",
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
    patience: NotNegative = Field(
        3,
        description="evaluations without a better dev loss before stopping early; 0 takes all steps and needs no dev split",
    )


class AnswerStage(TrainingStage):
    """The second stage begins with a model that knows the language."""

    learning_rate: Annotated[float, Field(gt=0)] = Field(7e-4, description="peak learning rate")
    exchanges: NotNegative = Field(
        0,
        description="of each dialogue only the beginning is learnt from, up to this many replies; 0 takes all",
    )


class Adapter(Frozen):
    """What of a base is trained: all of it, or a small addition that is merged into it afterwards."""

    method: Literal["full", "lora", "dora", "qlora"] = Field(
        "full",
        description="full trains every weight; lora and dora add low-rank matrices to a frozen base (dora learns their size apart); qlora is lora on a base held in 4 bits (NVIDIA card, psyllm[gpu])",
    )
    rank: Positive = Field(8, description="rank of the added matrices")
    alpha: Positive = Field(16, description="what is added counts alpha/rank times")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout before the added matrices")
    targets: tuple[str, ...] = Field(
        (), description="names of the layers that are added to; none takes all linear layers but the head"
    )


class PreferStage(Frozen):
    """Learning from ratings, after the other stages: KTO or DPO."""

    steps: NotNegative = Field(
        0, description="most optimiser steps; 0 leaves the stage out; needs ratings that visitors gave"
    )
    method: Literal["auto", "kto", "dpo"] = Field(
        "auto",
        description="kto learns from each rating; dpo from pairs, two answers to one prompt that one person rated differently; auto is dpo only where most ratings stand in pairs",
    )
    batch_rows: Positive = Field(8, description="rated answers (dpo: pairs) in a step")
    rows_at_once: NotNegative = Field(
        0,
        description="of these so many computed at once; 0 takes all; must divide `batch_rows`; kto compares them and needs two or more",
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-5, description="peak learning rate")
    warmup_steps: NotNegative = Field(10, description="steps of linear warm-up; then it falls to nothing")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="weight decay")
    beta: Annotated[float, Field(gt=0)] = Field(
        0.1, description="how strongly the model is held to what it was before; smaller lets it move farther"
    )
    sft_weight: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="dpo only: weight of also learning the better answer, against both becoming less likely",
    )
    label_noise: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.0, description="dpo only: share of ratings taken to be the wrong way round (robust DPO)"
    )
    fewest_ratings: Positive = Field(
        40, description="fewer rated answers in the training split are refused; of each kind a fifth of it"
    )
    fewest_raters: Positive = Field(
        3, description="fewer people are refused: one person's taste must not steer the model"
    )
    most_of_a_rater: Positive = Field(50, description="most ratings of one person that are learnt from")
    evaluate_every_steps: Positive = Field(10, description="steps between dev losses and checkpoints")
    most_dev_ratings: Positive = Field(256, description="most rated answers of the dev split measured")
    patience: Positive = Field(3, description="evaluations without a better dev loss before stopping early")


class TrainSettings(Frozen):
    """The stages, the model and the seed."""

    base: Path | None = Field(
        None, description="local checkpoint folder to start from; none trains a small model from nothing"
    )
    template: Literal["auto", "turns", "pangu", "wenzhong", "chat"] = Field(
        "auto",
        description="how a dialogue becomes a prompt, once for training, scoring and serving; auto is what the base asks for, and our own marks (turns) where nothing is known of it; chat is the base's own chat template, thinking off",
    )
    model: ModelShape = Field(default_factory=ModelShape)
    adapter: Adapter = Field(default_factory=Adapter)
    adapt: TrainingStage = Field(default_factory=TrainingStage)
    answer: AnswerStage = Field(default_factory=AnswerStage)
    prefer: PreferStage = Field(default_factory=PreferStage)
    general_share: Share = Field(
        0.0, description="share of general text in the adapt stage; needs a source named `general`"
    )
    keep_checkpoints: Positive = Field(
        2, description="checkpoints kept besides the best while a stage runs, to resume from"
    )
    keep_last: bool = Field(
        True,
        description="keep a finished run's last checkpoint, for `psyllm train more`: 12 bytes a weight (4.1 GB at 345M), 16 where another step was the best",
    )
    processes: Literal["one", "ddp", "fsdp"] = Field(
        "one",
        description="how several processes (torchrun, or --processes) share the work: ddp has the whole model in each, fsdp a part of it; one is a single process",
    )
    wait_s: Positive = Field(
        600,
        description="seconds after which processes that wait for each other give up; longer than the first takes for a checkpoint, or to make the tokenizer and the rows",
    )
    threads: NotNegative = Field(0, description="CPU threads; 0 takes all cores")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="arithmetic of the forward pass (weights stay fp32); auto is bf16 where the card or the processor has it, fp16 with a gradient scaler on older cards with tensor cores, else fp32",
    )
    gradient_checkpointing: bool = Field(
        False,
        description="compute each block's activations again in the backward pass: far less memory, about a fifth slower",
    )
    compile: Literal["auto", "on", "off"] = Field(
        "auto",
        description="torch.compile of the blocks; auto compiles on a card where the model has no dropout, and never on a CPU",
    )
    loss: Literal["auto", "plain", "chunked"] = Field(
        "auto",
        description="chunked computes the logits of some positions at a time, for large vocabularies; auto does where plain ones would be large; the stage prefer takes TRL's own way, which is never plain",
    )
    plan: Literal["refuse", "warn", "off"] = Field(
        "refuse", description="what happens to a run that will not fit into the memory (psyllm train plan)"
    )
    trackers: tuple[Literal["tensorboard", "mlflow"], ...] = Field(
        ("tensorboard",),
        description="who else keeps the curves: `tensorboard` writes `events/` of the run; `mlflow` (an extra) the server that MLFLOW_TRACKING_URI names, else `mlflow.db` of the data folder",
    )
    seed: int = Field(20261123, description="seed of weights, order and dropout")
