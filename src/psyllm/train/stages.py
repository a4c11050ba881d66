"""The two stages in order, each done once: `adapt` on text, `answer` on dialogues.

In: a run's folder, settings, the corpus. Out: `adapt/model/` and `model/`,
`metrics.jsonl`, and how it went. A finished stage leaves its result and is not
done again when an interrupted run goes on; its checkpoints are then deleted,
for they serve resuming only. Nothing here decides whether a run is up to date.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from psyllm.core.errors import BadSetting, EmptyCorpus
from psyllm.core.progress import report
from psyllm.core.stages import write_text_atomically
from psyllm.core.train_settings import TrainingStage, TrainSettings
from psyllm.lm.checkpoint import build, load_base, load_weights, save
from psyllm.lm.pack import Rows
from psyllm.lm.tokenizer import TOKENIZER_FILE, Tokenizer, read_tokenizer, train_tokenizer
from psyllm.train import saved
from psyllm.train.history import METRICS_FILE, dev_losses, metric_lines, write_metrics
from psyllm.train.loop import train_stage
from psyllm.train.machine import choose_attention, keep_freed_memory
from psyllm.train.material import Material, adapt_rows, answer_rows
from psyllm.train.processes import BY_ITSELF, Sharing
from psyllm.train.watch import Plan

MODEL = "model"
RESULT = "result.json"


@dataclass
class Work:
    """One run in progress: its words, its settings and what it runs with."""

    folder: Path
    settings: TrainSettings
    train: Material
    dev: Material
    precision: str
    lineage: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: int = 0
    sharing: Sharing = BY_ITSELF


def check_settings(settings: TrainSettings) -> None:
    """Refuse stages that can't be run.

    Raises:
        BadSetting: rows computed at once do not divide a step's rows.
    """
    for name, stage in (("adapt", settings.adapt), ("answer", settings.answer)):
        if stage.rows_at_once and stage.batch_rows % stage.rows_at_once:
            message = f"train.{name}.rows_at_once={stage.rows_at_once} does not divide batch_rows={stage.batch_rows}"
            raise BadSetting(message, f"set train.{name}.rows_at_once to a divisor of batch_rows, or 0")


def run_stages(work: Work) -> None:
    """Train what is not trained yet.

    Raises:
        EmptyCorpus: there is nothing to learn.
        BadCheckpoint: the base can't be used.
    """
    tokenizer = _tokenizer(work)
    context = work.settings.model.context_tokens
    adapted = work.folder / "adapt" / MODEL
    model = _start(work, tokenizer)
    keep_freed_memory()
    context = min(context, getattr(model.config, "max_position_embeddings", context))
    choose_attention(model, context)
    work.weights = sum(weight.numel() for weight in model.parameters())
    if work.settings.adapt.steps:
        rows = _adapt_rows(work, work.train, tokenizer, context)
        dev = _adapt_rows(work, work.dev, tokenizer, context)
        _stage(work, "adapt", work.settings.adapt, model, tokenizer, (rows, dev), adapted)
    final = work.folder / MODEL
    if work.settings.answer.steps:
        rows = answer_rows(tokenizer, work.train.dialogues, context, "preparing answers")
        dev = answer_rows(tokenizer, work.dev.dialogues, context, "preparing dev answers")
        _stage(work, "answer", work.settings.answer, model, tokenizer, (rows, dev), final)
    elif work.sharing.team.is_first:
        save(final, model, tokenizer, context_tokens=context, lineage=work.lineage)
    if work.sharing.team.is_first:
        write_metrics(work.folder / METRICS_FILE, work.lines)


def _tokenizer(work: Work) -> Tokenizer:
    """Return the base's tokenizer, or one trained once for this run."""
    if work.settings.base is not None:
        return load_base_tokenizer(work.settings.base)
    folder = work.folder / "tokenizer"
    if work.sharing.team.is_first and not (folder / TOKENIZER_FILE).is_file():
        texts = work.train.texts()
        report("training the tokenizer", 0, None, f"{sum(map(len, texts)):,} characters")
        tokenizer = train_tokenizer(texts, work.settings.model.vocabulary)
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(folder / TOKENIZER_FILE, tokenizer.to_text())
        report("training the tokenizer", 1, 1, f"{tokenizer.size:,} pieces")
    work.sharing.team.wait()
    return read_tokenizer(folder)


def load_base_tokenizer(folder: Path) -> Tokenizer:
    """Return a base checkpoint's tokenizer with the template's marks."""
    tokenizer = read_tokenizer(folder)
    tokenizer.add_marks()
    return tokenizer


def _start(work: Work, tokenizer: Tokenizer) -> PreTrainedModel:
    if work.settings.base is None:
        return build(work.settings.model, tokenizer, work.settings.seed)
    return load_base(work.settings.base)[0]


def _adapt_rows(work: Work, material: Material, tokenizer: Tokenizer, context: int) -> Rows:
    share = work.settings.general_share if material is work.train else 0.0
    return adapt_rows(tokenizer, material, context, general_share=share, seed=work.settings.seed)


def _stage(
    work: Work,
    name: str,
    stage: TrainingStage,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    rows: tuple[Rows, Rows],
    target: Path,
) -> None:
    """Do one stage unless its result is there; the model leaves with the stage's best weights."""
    folder = work.folder / name
    train, dev = rows[0], rows[1].sample(stage.most_dev_rows, work.settings.seed)
    if not train.learnt_tokens:
        message = f"the corpus holds nothing that the {name} stage could learn"
        raise EmptyCorpus(message, f"import a source with such texts, or set train.{name}.steps=0")
    before = list(work.lines)
    team = work.sharing.team
    team.need_same(f"rows for the {name} stage", _mark(train, dev))

    def heard(logged: list[dict[str, Any]]) -> None:
        work.lines = before + metric_lines(name, logged)
        if team.is_first:
            write_metrics(work.folder / METRICS_FILE, work.lines)

    result_file = folder / RESULT
    speed = 0.0
    if result_file.is_file():
        result = json.loads(result_file.read_text("utf-8"))
        model.load_state_dict(load_weights(target).state_dict())
    else:
        plan = Plan(
            name,
            stage,
            folder,
            work.settings.seed,
            work.settings.keep_checkpoints,
            work.precision,
            work.sharing,
        )
        trained = train_stage(model, train, dev, plan, heard)
        if team.is_first:
            save(target, model, tokenizer, context_tokens=train.ids.shape[1], lineage=work.lineage)
        speed = trained.tokens_per_s
        result = {
            "steps": trained.steps,
            "best_step": trained.best,
            "rows": len(train.ids),
            "dev_rows": len(dev.ids),
            "learnt_tokens": train.learnt_tokens,
            "logged": trained.logged,
        }
        if team.is_first:
            write_text_atomically(result_file, json.dumps(result))
    if team.is_first:
        saved.drop_all(folder)
    heard(result["logged"])
    losses = dict(dev_losses(result["logged"]))
    work.results[name] = {key: value for key, value in result.items() if key != "logged"}
    work.results[name]["dev_loss"] = losses.get(result["best_step"])
    work.results[name]["tokens_per_s"] = round(speed)


def _mark(*parts: Rows) -> str:
    """Return what tells rows apart that processes must hold alike."""
    digest = hashlib.sha256()
    for part in parts:
        for array in part:
            digest.update(array.tobytes())
    return digest.hexdigest()
