"""TRL's KTO and DPO, around our tokens.

In: a model, examples in tokens, settings. Out: a trainer that learns from them.
The losses are TRL's own. What differs: examples come in our template's tokens and
TRL's templates are never asked; what the model said before (the reference) is
computed once, from the model as it comes in, so no second copy is held; dev loss,
margin and accuracy are computed over all dev examples; the order is a function of
the seed and the step. TRL's word to its makers that it was used is not sent: this
project opens no connection. Imported late: TRL takes seconds.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import torch
from datasets import Dataset
from tokenizers import Tokenizer as Pieces
from tokenizers.models import WordLevel
from transformers import PreTrainedModel, PreTrainedTokenizerFast, PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer

from psyllm.lm.number_types import TYPES
from psyllm.train.arguments import OneDevice, alike
from psyllm.train.checked_steps import CheckedSteps
from psyllm.train.history import DEV_LOSS
from psyllm.train.prefer_material import Pair, Rated, in_steps, weights_of
from psyllm.train.prefer_table import PreferPlan, Table, of_pair, of_rated, tables_of

DEV_MARGIN, DEV_ACCURACY, MARGIN = "dev_margin", "dev_accuracy", "margin"


class _Ours(CheckedSteps):
    """What both trainers do our way; stands before TRL's class among the bases."""

    reference_names: ClassVar[tuple[str, str]]
    paired: ClassVar[bool]
    compute_ref_log_probs: Callable[..., tuple[torch.Tensor, torch.Tensor]]  # TRL's

    def __init__(
        self,
        *,
        tables: dict[str, Table],
        collator: Any,  # noqa: ANN401 - TRL's
        precision: str,
        **named: Any,  # noqa: ANN401 - TRL's
    ) -> None:
        self.tables = tables
        self.references: dict[str, list[tuple[float, float]]] = {}
        self.plain_collator = collator
        self._is_fp16 = precision == "fp16"
        super().__init__(stage="prefer", precision=precision, data_collator=self.collate, **named)

    def _prepare_dataset(self, dataset: Any, *_: object) -> Any:  # noqa: ANN401 - TRL's
        return dataset

    def _send_telemetry(self) -> None:
        """Send nothing."""

    def create_model_card(self, *_: object, **__: object) -> None:
        """Write none: ours stands beside the finished model."""

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:  # noqa: ANN401 - TRL's
        """Keep what the model says now of every example of every batch."""
        del batch_size
        table = self.tables[name]
        found = []
        for places in table.batches:
            batch = self._prepare_inputs(self.plain_collator(table.batch(places)))
            with self.compute_loss_context_manager():
                first, second = self.compute_ref_log_probs(self._own_model(), batch)
            found += list(zip(first.tolist(), second.tolist(), strict=True))
        self.references[name] = found
        return dataset

    def collate(self, rows: Sequence[Mapping[str, int]]) -> dict[str, torch.Tensor]:
        """Return a batch of the training table from numbers of its places."""
        return self.batch_of("train", [row["place"] for row in rows])

    def batch_of(self, name: str, places: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the examples at consecutive places, with what the reference said of them."""
        flat = [number for batch in self.tables[name].batches for number in batch]
        examples = self.tables[name].batch([flat[place] for place in places])
        for example, place in zip(examples, places, strict=True):
            if self.references.get(name):
                example |= dict(zip(self.reference_names, self.references[name][place], strict=True))
        batch: dict[str, torch.Tensor] = self.plain_collator(examples)
        return batch

    def compute_loss_context_manager(self) -> ExitStack:
        """Return what a loss is computed in."""
        held: ExitStack = super().compute_loss_context_manager()
        if self._is_fp16:
            held.enter_context(torch.autocast(self.args.device.type, dtype=TYPES["fp16"]))
        return held

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Log and return dev loss, margin and accuracy over all dev examples."""
        self.finite.look()
        model = self._own_model()
        model.train(mode=False)
        total = count = 0.0
        better: list[float] = []
        worse: list[float] = []
        start = 0
        with torch.no_grad():
            for places in self.tables["eval"].batches:
                numbers = range(start, start + len(places))
                start += len(places)
                batch = self._prepare_inputs(self.batch_of("eval", numbers))
                with self.compute_loss_context_manager():
                    loss: Any = self.compute_loss(model, batch)
                total += loss.item() * len(places)
                count += len(places)
                good, bad = self.rewards(batch)
                better += good
                worse += bad
        self._counted("eval").clear()
        metrics = {DEV_LOSS: total / count, **_judged(better, worse, paired=self.paired)}
        self.finite.check_dev_loss(self.state.global_step, metrics[DEV_LOSS])
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _counted(self, mode: str) -> dict[str, list[float]]:
        """Return what TRL has counted for its next line of the log."""
        counted: dict[str, list[float]] = vars(self)["_metrics"][mode]
        return counted

    def _own_model(self) -> torch.nn.Module:
        if self.model is None:
            message = "the trainer has no model"
            raise RuntimeError(message)
        return self.model

    def rewards(self, batch: Mapping[str, torch.Tensor]) -> tuple[list[float], list[float]]:
        """Return how much likelier than before each good, and each bad, answer has become, times beta."""
        raise NotImplementedError

    def sums(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return what the model says now: the sum of log-probabilities of each answer, shape (rows,)."""
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        with self.compute_loss_context_manager():
            said = self._own_model()(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                labels=labels,
                fused_lm_head=True,
            ).log_probs
        found: torch.Tensor = said[:, -(labels.shape[1] - 1) :].sum(-1)
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log under our names."""
        counted = self._counted("train" if self._own_model().training else "eval")
        margins = counted.pop("rewards/margins", [])
        if margins:
            logs[MARGIN] = sum(margins) / len(margins)
        super().log(logs, start_time)


class _KTOConfig(OneDevice, KTOConfig):
    """One device."""


class _DPOConfig(OneDevice, DPOConfig):
    """One device."""


class OurKTO(_Ours, KTOTrainer):
    """KTO from thumbs."""

    reference_names = ("ref_logps", "ref_KL_logps")
    paired = False

    def rewards(self, batch: Mapping[str, torch.Tensor]) -> tuple[list[float], list[float]]:
        """Return the rewards of the batch's answers by their thumbs."""
        found = (self.beta * (self.sums(batch) - batch["ref_logps"])).tolist()
        good = batch["label"].tolist()
        return (
            [one for one, is_good in zip(found, good, strict=True) if is_good],
            [one for one, is_good in zip(found, good, strict=True) if not is_good],
        )


class OurDPO(_Ours, DPOTrainer):
    """DPO from pairs."""

    reference_names = ("ref_chosen_logps", "ref_rejected_logps")
    paired = True

    def rewards(self, batch: Mapping[str, torch.Tensor]) -> tuple[list[float], list[float]]:
        """Return the rewards of the better answers, and of the worse ones."""
        chosen, rejected = self.sums(batch).chunk(2)
        return (
            (self.beta * (chosen - batch["ref_chosen_logps"])).tolist(),
            (self.beta * (rejected - batch["ref_rejected_logps"])).tolist(),
        )


def _judged(better: Sequence[float], worse: Sequence[float], *, paired: bool) -> dict[str, float]:
    """Return margin and accuracy: in which share of pairs the better answer gained more; equal ones count half.

    Without pairs each good answer is compared with each bad one. Where a kind is missing there is neither.
    """
    if not better or not worse:
        return {}
    above, below = torch.tensor(better, dtype=torch.float64), torch.tensor(worse, dtype=torch.float64)
    gaps = above - below if paired else above[:, None] - below[None]
    right = (gaps > 0).double() + 0.5 * (gaps == 0).double()
    return {DEV_MARGIN: (above.mean() - below.mean()).item(), DEV_ACCURACY: right.mean().item()}


def kto_trainer(
    model: PreTrainedModel,
    train: Sequence[Rated],
    dev: Sequence[Rated],
    plan: PreferPlan,
    callbacks: Sequence[TrainerCallback] = (),
) -> OurKTO:
    """Return a trainer that learns from thumbs."""
    good = sum(example.desirable for example in train)
    weights = weights_of(good, len(train) - good)
    config = _KTOConfig(
        beta=plan.settings.beta,
        desirable_weight=weights[0],
        undesirable_weight=weights[1],
        **_arguments(plan, has_dev=bool(dev)),
    )
    tables = tables_of([of_rated(one) for one in train], [of_rated(one) for one in dev], plan)
    collator = DataCollatorForUnpairedPreference(pad_token_id=plan.pad)
    trainer: OurKTO = _built(OurKTO, model, config, tables, plan, collator, callbacks)
    return trainer


def dpo_trainer(
    model: PreTrainedModel,
    train: Sequence[Pair],
    dev: Sequence[Pair],
    plan: PreferPlan,
    callbacks: Sequence[TrainerCallback] = (),
) -> OurDPO:
    """Return a trainer that learns from pairs."""
    settings = plan.settings
    kind = "robust" if settings.label_noise else "sigmoid"
    config = _DPOConfig(
        beta=settings.beta,
        loss_type=[kind, "sft"] if settings.sft_weight else [kind],
        loss_weights=[1.0, settings.sft_weight] if settings.sft_weight else [1.0],
        label_smoothing=settings.label_noise,
        **_arguments(plan, has_dev=bool(dev)),
    )
    tables = tables_of([of_pair(one) for one in train], [of_pair(one) for one in dev], plan)
    collator = DataCollatorForPreference(pad_token_id=plan.pad)
    trainer: OurDPO = _built(OurDPO, model, config, tables, plan, collator, callbacks)
    return trainer


def _built(
    kind: type[Any],
    model: PreTrainedModel,
    config: Any,  # noqa: ANN401 - KTOConfig or DPOConfig
    tables: dict[str, Table],
    plan: PreferPlan,
    collator: Any,  # noqa: ANN401 - TRL's
    callbacks: Sequence[TrainerCallback],
) -> Any:  # noqa: ANN401 - one of ours
    """Return the trainer: TRL is given numbers of places instead of texts, and its collator ours around it."""
    _turn_dropout_off(model)
    numbered = [list(range(place, place + plan.at_once)) for place in tables["train"].starts()]
    settings = plan.settings
    wanted = settings.steps * (settings.batch_rows // plan.at_once)
    rows = Dataset.from_dict({"place": list(in_steps(numbered, wanted, plan.seed))})
    trainer = kind(
        tables=tables,
        collator=collator,
        stage_settings=settings,
        precision=plan.precision,
        model=model,
        args=config,
        train_dataset=rows,
        eval_dataset=rows if "eval" in tables else None,  # asked for by Trainer, never read: see evaluate
        processing_class=_pad_only(plan.pad),
        callbacks=list(callbacks),
    )
    trainer.processing_class = None  # else it would be written beside every checkpoint
    trainer.remove_callback(PrinterCallback)
    return trainer


def _turn_dropout_off(model: PreTrainedModel) -> None:
    """Make the model say the same twice, as what it is held to does: TRL sets only the modules named Dropout.

    Llama, Qwen and others keep the share that is dropped of attention as a number.
    """
    for module in model.modules():
        for name, value in vars(module).items():
            if "drop" in name and isinstance(value, float):
                setattr(module, name, 0.0)


def _pad_only(pad: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows the padding and nothing else: TRL asks for one and has no text to give it."""
    make: Callable[..., PreTrainedTokenizerFast] = PreTrainedTokenizerFast
    return make(
        tokenizer_object=Pieces(WordLevel({"<pad>": pad}, unk_token="<pad>")),  # noqa: S106 - no secret
        pad_token="<pad>",  # noqa: S106 - no secret
        eos_token="<pad>",  # noqa: S106 - no secret
    )


def _arguments(plan: PreferPlan, *, has_dev: bool) -> dict[str, Any]:
    settings = plan.settings
    return {
        **alike(plan, has_dev=has_dev),
        "per_device_train_batch_size": plan.at_once,
        "per_device_eval_batch_size": plan.at_once,
        "gradient_accumulation_steps": settings.batch_rows // plan.at_once,
        "lr_scheduler_type": "linear",
        "warmup_steps": min(settings.warmup_steps, max(settings.steps - 1, 0)),
        "max_length": None,
        "precompute_ref_log_probs": True,
        "activation_checkpointing": plan.gradient_checkpointing,  # TRL's own default is True, a fifth slower
        "bf16": plan.precision == "bf16",
    }


@contextmanager
def as_it_was(model: PreTrainedModel) -> Iterator[None]:
    """Take back what TRL puts into a model: its way through the head, checkpointing, an adapter's copy."""
    quiet = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        with warnings.catch_warnings():
            # TRL 1.16 asks transformers 5.23 by a name that goes with version 6
            warnings.filterwarnings("ignore", ".*gradient_checkpointing.* is deprecated", FutureWarning)
            yield
    finally:
        if quiet is None:
            del os.environ["TQDM_DISABLE"]
        for module in model.modules():
            for name in ("forward", "_original_forward"):
                module.__dict__.pop(name, None)
        if model.is_activation_checkpointing:
            keep_activations: Callable[[], None] = model.activation_checkpointing_disable
            keep_activations()
        adapters: Any = getattr(model, "peft_config", {})
        if "ref" in adapters:
            taken: Any = model
            taken.delete_adapter("ref")
