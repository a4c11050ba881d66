"""The stages in order, each done once: `adapt` on text, `answer` on dialogues, `prefer` on ratings.

In: a run's folder, settings, the corpus. Out: `adapt/model/` and `model/`,
`metrics.jsonl`, and how it went. A finished stage leaves its result and is not
done again when an interrupted run goes on; its checkpoints are then deleted,
for they serve resuming only, but the last stage's last one, which `psyllm train
more` goes on from. Such a run begins with what the earlier one has finished.
Of several processes the first one alone writes; where the others read what it
wrote, all wait for it. Nothing here decides whether a run is up to date.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from psyllm.core.errors import BadSetting, EmptyCorpus
from psyllm.core.progress import report
from psyllm.core.run_events import METRICS
from psyllm.core.stages import write_text_atomically
from psyllm.core.train_settings import TrainingStage, TrainSettings
from psyllm.lm.activation import fuse_activations
from psyllm.lm.checkpoint import build
from psyllm.lm.family import Wish
from psyllm.lm.pack import Rows
from psyllm.lm.template import PAD, beginning
from psyllm.lm.tokenizer import TOKENIZER_FILE, Tokenizer, read_tokenizer, train_tokenizer
from psyllm.train import saved
from psyllm.train.adapters import check_adapter, leave, load_to_train, restore, result_of
from psyllm.train.ancestry import MODEL
from psyllm.train.fitness import check_base, check_length
from psyllm.train.history import dev_losses, metric_lines, write_metrics
from psyllm.train.loop import train_stage
from psyllm.train.machine import choose_attention, keep_freed_memory
from psyllm.train.material import Material, adapt_rows, answer_rows
from psyllm.train.planning import check_memory
from psyllm.train.prefer import NAME as PREFER
from psyllm.train.prefer import learn_preferences
from psyllm.train.prefer_material import Ratings, check_prefer
from psyllm.train.prefer_table import PreferPlan
from psyllm.train.prepared import drop_prepared, prepared
from psyllm.train.processes import BY_ITSELF, Sharing
from psyllm.train.schedule import planned_steps
from psyllm.train.undertaking import RESULT
from psyllm.train.watch import Plan


@dataclass
class Work:
    """One run in progress: its words, its settings and what it runs with.

    `corpus_hash` names the words; `earlier` is the finished run whose last stage goes on here.
    """

    folder: Path
    settings: TrainSettings
    train: Material
    dev: Material
    precision: str
    lineage: dict[str, Any]
    corpus_hash: str = ""
    earlier: Path | None = None
    ratings: Ratings | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: int = 0
    sharing: Sharing = BY_ITSELF


def check_settings(settings: TrainSettings) -> None:
    """Refuse stages that can't be run; how their rows are shared out is `parts.check_sharing`'s to look at.

    Raises:
        BadSetting: a template needs a base, an adapter can't be trained so, or ratings can't be learnt from so.
        MissingExtra: a package that the adapter needs is not installed.
    """
    if settings.base is None and settings.template not in {"auto", "turns"}:
        message = f"train.template={settings.template} is a base's own, and there is no base"
        raise BadSetting(message, "name one: --base FOLDER, or set train.template=auto")
    check_adapter(settings)
    check_prefer(settings.prefer)
    if settings.prefer.steps and settings.adapter.method != "full":
        message = f"train.prefer learns in all weights, and train.adapter.method is {settings.adapter.method}"
        raise BadSetting(
            message,
            "train the adapter first, then learn from ratings on its merged model: psyllm train continue",
        )


def check_material(settings: TrainSettings, train: Material, dev: Material) -> None:
    """Refuse a corpus that a stage could learn nothing from, or not measure itself on, before any time is spent.

    Raises:
        EmptyCorpus: train has no answers for the answer stage, or dev nothing for a stage that may stop early.
    """
    if settings.answer.steps and not train.dialogues:
        message = "the corpus holds nothing that the answer stage could learn: no answers to train on"
        raise EmptyCorpus(message, "import a source with such texts, or set train.answer.steps=0")
    for name, stage, has_dev in (
        ("adapt", settings.adapt, bool(dev.documents or dev.dialogues)),
        ("answer", settings.answer, bool(dev.dialogues)),
    ):
        if stage.steps and stage.patience and not has_dev:
            message = f"the dev split holds nothing to measure the {name} stage on, so it would not know when to stop"
            raise EmptyCorpus(
                message,
                f"make a corpus with a larger dev split: psyllm corpus; or set train.{name}.patience=0, "
                "which takes all steps and the last weights",
            )


def run_stages(work: Work) -> None:
    """Train what is not trained yet.

    Raises:
        EmptyCorpus: there is nothing to learn.
        BadCheckpoint: the base can't be used.
    """
    team = work.sharing.team
    if team.is_first:
        saved.drop_half_written(work.folder)
        _take_over(work)
    team.wait()
    tokenizer = _tokenizer(work)
    context = work.settings.model.context_tokens
    adapted = work.folder / "adapt" / MODEL
    model = _start(work, tokenizer)
    keep_freed_memory()
    context = min(context, getattr(model.config, "max_position_embeddings", context))
    choose_attention(model, context)
    fuse_activations(model)
    check_memory(_with_known_method(work), model.config.to_dict(), work.precision, team)
    work.weights = sum(weight.numel() for weight in model.parameters())
    if work.settings.adapt.steps:
        rows = _adapt_rows(work, work.train, tokenizer, context)
        dev = _adapt_rows(work, work.dev, tokenizer, context)
        _stage(work, "adapt", work.settings.adapt, model, tokenizer, (rows, dev), adapted)
    final = work.folder / MODEL
    # The model that ratings change is kept as it was: `evaluate` asks what they did to it.
    answered = work.folder / "answer" / MODEL if work.ratings is not None else final
    if work.settings.answer.steps:
        rows = _answer_rows(work, work.train, tokenizer, context)
        dev = _answer_rows(work, work.dev, tokenizer, context)
        _stage(work, "answer", work.settings.answer, model, tokenizer, (rows, dev), answered)
    elif work.ratings is None and team.is_first:
        leave(final, model, tokenizer, work.settings.base, context_tokens=context, lineage=work.lineage)
    if work.ratings is not None:
        _prefer(work, model, tokenizer, work.ratings, context)
    if team.is_first:
        write_metrics(work.folder / METRICS, work.lines)
        drop_prepared(work.folder)


def last_stage(settings: TrainSettings) -> str:
    """Return the stage that a run ends with."""
    if settings.prefer.steps:
        return PREFER
    return "answer" if settings.answer.steps else "adapt"


def _with_known_method(work: Work) -> TrainSettings:
    """Return the settings with KTO named where the ratings have chosen it: it takes half of what DPO takes."""
    if work.ratings is None or work.ratings.method != "kto":
        return work.settings
    prefer = work.settings.prefer.model_copy(update={"method": "kto"})
    return work.settings.model_copy(update={"prefer": prefer})


def _take_over(work: Work) -> None:
    """Begin with the stages that an earlier run has finished, and with the last checkpoint of its last stage."""
    if work.earlier is None:
        return
    last = last_stage(work.settings)
    if last != "adapt" and (work.earlier / "adapt" / RESULT).is_file():
        saved.copy_tree(work.earlier / "adapt", work.folder / "adapt")
    if (work.earlier / "tokenizer").is_dir():
        saved.copy_tree(work.earlier / "tokenizer", work.folder / "tokenizer")
    if not (work.folder / last / RESULT).is_file():
        saved.take_over(work.earlier / last, work.folder / last)


def _prefer(work: Work, model: PreTrainedModel, tokenizer: Tokenizer, ratings: Ratings, context: int) -> None:
    """Learn from ratings unless the stage's result is there; the result is the run's model."""
    settings, folder, target = work.settings, work.folder / PREFER, work.folder / MODEL
    before = list(work.lines)

    def heard(logged: list[dict[str, Any]]) -> None:
        work.lines = before + metric_lines(PREFER, logged)
        write_metrics(work.folder / METRICS, work.lines)

    result_file = folder / RESULT
    if not result_file.is_file():
        plan = PreferPlan(
            settings.prefer,
            folder,
            settings.seed,
            settings.keep_checkpoints,
            work.precision,
            tokenizer.mark(PAD),
            context,
            settings.gradient_checkpointing,
        )
        facts, logged = learn_preferences(model, tokenizer, ratings, plan, heard)
        leave(target, model, tokenizer, None, context_tokens=context, lineage=work.lineage)
        write_text_atomically(result_file, json.dumps({"facts": facts, "logged": logged}))
    result = json.loads(result_file.read_text("utf-8"))
    saved.drop_all(folder)
    heard(result["logged"])
    work.results[PREFER] = result["facts"]


def _tokenizer(work: Work) -> Tokenizer:
    """Return the base's tokenizer, or one trained once for this run."""
    if work.settings.base is not None:
        return load_base_tokenizer(work.settings.base, work.settings.template)
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


def load_base_tokenizer(folder: Path, template: Wish) -> Tokenizer:
    """Return a base checkpoint's tokenizer with the template's marks."""
    tokenizer = read_tokenizer(folder, template)
    tokenizer.add_marks()
    return tokenizer


def _start(work: Work, tokenizer: Tokenizer) -> PreTrainedModel:
    asked = work.settings
    if asked.base is None:
        return build(asked.model, tokenizer, asked.seed)
    model = load_to_train(asked.base, asked.adapter, tokenizer, asked.seed, asked.template)
    # as Trainer leaves it: a process that only finishes a run must not save another
    model.config.use_cache = False
    check_base(model, asked.base)
    return model


def _adapt_rows(work: Work, material: Material, tokenizer: Tokenizer, context: int) -> Rows:
    share = work.settings.general_share if material is work.train else 0.0
    seed = work.settings.seed
    length = min(work.settings.adapt.row_tokens or context, context)

    def make() -> Rows:
        return adapt_rows(tokenizer, material, length, general_share=share, seed=seed)

    return _prepared(work, material, "adapt", tokenizer, length, make)


def _answer_rows(work: Work, material: Material, tokenizer: Tokenizer, context: int) -> Rows:
    task = "preparing answers" if material is work.train else "preparing dev answers"
    length = min(work.settings.answer.row_tokens or context, context)

    def make() -> Rows:
        begun = [beginning(talk, work.settings.answer.exchanges) for talk in material.dialogues]
        return answer_rows(tokenizer, begun, length, task)

    return _prepared(work, material, "answer", tokenizer, length, make)


def _prepared(
    work: Work, material: Material, name: str, tokenizer: Tokenizer, length: int, make: Callable[[], Rows]
) -> Rows:
    """Return rows made now or before; the folder's run names settings and code already, and the key the rest."""
    key = {
        "corpus": work.corpus_hash,
        "tokenizer": tokenizer.content_hash(),
        "template": tokenizer.wording.model_dump_json(),
        "pad": tokenizer.mark(PAD),
        "length": length,
    }
    split = "train" if material is work.train else "dev"
    team, name = work.sharing.team, f"{name}-{split}"
    if team.is_first:
        prepared(work.folder, name, key, make)
    team.wait()
    return prepared(work.folder, name, key, make)


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
    check_length(model, train.ids.shape[1], name)
    stage = stage.model_copy(update={"steps": planned_steps(stage, len(train.ids))})
    before = list(work.lines)
    team = work.sharing.team
    if team.count > 1:
        team.need_same(f"rows for the {name} stage", _mark(train, dev))

    def heard(logged: list[dict[str, Any]]) -> None:
        work.lines = before + metric_lines(name, logged)
        if team.is_first:
            write_metrics(work.folder / METRICS, work.lines)

    result_file = folder / RESULT
    speed = 0.0
    if result_file.is_file():
        result = json.loads(result_file.read_text("utf-8"))
        restore(model, result_of(target, model))
    else:
        plan = Plan(
            name,
            stage,
            folder,
            work.settings.seed,
            work.settings.keep_checkpoints,
            work.precision,
            loss=work.settings.loss,
            gradient_checkpointing=work.settings.gradient_checkpointing,
            compile=work.settings.compile,
            sharing=work.sharing,
            may_adapt=work.settings.base is not None and work.settings.adapter.method == "full",
        )
        trained = train_stage(model, train, dev, plan, heard)
        base, context = work.settings.base, train.ids.shape[1]
        if team.is_first:
            leave(target, model, tokenizer, base, context_tokens=context, lineage=work.lineage)
        speed = trained.tokens_per_s
        result = {
            "steps": trained.steps,
            "planned_steps": stage.steps,
            "best_step": trained.best,
            "rows": len(train.ids),
            "dev_rows": len(dev.ids),
            "learnt_tokens": train.learnt_tokens,
            "tokens_seen": trained.steps * stage.batch_rows * train.ids.shape[1],
            "logged": trained.logged,
        }
        if team.is_first:
            write_text_atomically(result_file, json.dumps(result))
    if team.is_first:
        if work.settings.keep_last and name == last_stage(work.settings):
            saved.keep_last(folder, result["steps"], result["best_step"])
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
