"""Whether a training fits the memory, told before time is spent, and what would make it fit.

In: the settings of training, the model's shape, a card or this machine. Out:
what each stage needs in one process, and the one or two settings that make them
fit. `plan` is the command's; `check_memory` is asked by a training at its start.
Nothing here changes a setting, and the arithmetic is `lm.memory`'s.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from itertools import chain, combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from psyllm.core.errors import BadSetting, MissingFile
from psyllm.core.train_settings import STAGES_OF_WORDS, PreferStage, TrainingStage, TrainSettings
from psyllm.lm.cards import Card, card_named
from psyllm.lm.memory import CONTEXT_BYTES, GIB, WIDE, Need, Number, Way, estimate
from psyllm.lm.model_shape import Shape, shape_of
from psyllm.train.processes import ALONE, Team
from psyllm.train.shard_memory import in_shards

Changes: TypeAlias = dict[str, Any]

# The plan is within so much of what was measured (bench/memory.py): what comes nearer to the limit is tight.
TIGHT_SHARE = 0.87
FEWEST_ROW_TOKENS = 128
CGROUP = Path("/sys/fs/cgroup")

_log = logging.getLogger(__name__)


class StageNeed(NamedTuple):
    """What one stage needs for the rows that it computes at once."""

    stage: str
    rows: int
    row_tokens: int
    need: Need


class Forecast(NamedTuple):
    """The needs of all stages that are to run, and what would make them fit where they don't.

    Needs are those of one of `processes`, and the card is its own. `changes` is empty where all fits, None where
    no setting is enough.
    """

    card: Card
    shape: Shape
    precision: Number
    stages: tuple[StageNeed, ...]
    changes: Changes | None
    processes: int = 1

    @property
    def fits(self) -> bool:
        """Whether all stages fit."""
        return all(one.need.planned <= self.card.free_bytes for one in self.stages)

    @property
    def is_tight(self) -> bool:
        """Whether a stage fits so closely that the plan's own error could undo it."""
        return any(one.need.planned > TIGHT_SHARE * self.card.free_bytes for one in self.stages)

    @property
    def advice(self) -> str:
        """The next thing to type."""
        if self.changes is None:
            return "take a smaller model, or a machine with more memory"
        return " ".join(f"--set train.{name}={_spell(value)}" for name, value in self.changes.items())


def plan(
    settings: TrainSettings, card: Card, shape: Shape, precision: Number | None = None, processes: int = 1
) -> Forecast:
    """Return what a training with these settings needs on a card of each process, and what makes it fit."""
    precision = precision or precision_on(settings, card)
    settings = _of_one(settings, processes)
    forecast = Forecast(card, shape, precision, (), {}, processes)
    forecast = forecast._replace(stages=tuple(_needs(settings, forecast)))
    if forecast.fits:
        return forecast
    return forecast._replace(changes=_what_fits(settings, forecast))


def check_memory(
    settings: TrainSettings, config: Mapping[str, Any], precision: str, team: Team = ALONE
) -> None:
    """Refuse, or warn of, a training that this machine can't hold; the model is in memory by now.

    Raises:
        BadSetting: it will not fit, with the settings that make it fit.
    """
    if settings.plan == "off":
        return
    shape, here = shape_of(config), card_here()
    if here.device == "cpu":  # each process has a card of its own, but no memory
        here = here._replace(free_bytes=here.free_bytes // team.on_this_machine)
    # the program and, without a card, the weights as well are there already: only the rest must still be free
    there = CONTEXT_BYTES[here.device]
    if here.device == "cpu":
        there += WIDE * shape.weights().total
    free = here._replace(free_bytes=here.free_bytes + there)
    forecast = plan(settings, free, shape, cast("Number", precision), team.count)
    if forecast.fits:
        return
    worst = max(forecast.stages, key=lambda one: one.need.planned)
    message = (
        f"the {worst.stage} stage needs {worst.need.planned / GIB:.1f} GiB for {worst.rows} rows of "
        f"{worst.row_tokens} tokens at once; {here.name} has {forecast.card.free_bytes / GIB:.1f} GiB for it"
    )
    if settings.plan == "warn":
        _log.warning("%s; %s", message, forecast.advice)
        return
    raise BadSetting(message, f"psyllm train plan shows the parts; {forecast.advice}")


def _of_one(settings: TrainSettings, count: int) -> TrainSettings:
    """Return the settings as one of so many processes has them: its part of a step's rows, and how it computes it."""
    # late: it imports torch
    from psyllm.train.parts import goes

    changed = {}
    for name in STAGES_OF_WORDS:
        stage: TrainingStage = getattr(settings, name)
        if stage.steps:
            rows, times = goes(stage, count)
            changed[name] = stage.model_copy(update={"batch_rows": rows * times, "rows_at_once": rows})
    return settings.model_copy(update=changed)


def read_shape(folder: Path) -> Shape:
    """Return the shape of a checkpoint that lies in a folder; only its config.json is read.

    Raises:
        MissingFile: there is no config.json.
        BadSetting: it describes no causal model.
        BadCheckpoint: it calls its sizes otherwise than any model that is known.
    """
    path = folder / "config.json"
    if not path.is_file():
        message = f"{path} does not exist"
        raise MissingFile(message, "name a local checkpoint folder: --base FOLDER")
    try:
        return shape_of(json.loads(path.read_text("utf-8")))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"{path} does not tell the sizes of a causal language model"
        raise BadSetting(message, "name a folder with a model of that kind: --base FOLDER") from error


def new_shape(settings: TrainSettings) -> Shape:
    """Return the shape of the model that `train.model` asks for."""
    # late: what builds models imports torch
    from psyllm.lm.checkpoint import FEED_FORWARD_MULTIPLE, FEED_FORWARD_RATIO

    model = settings.model
    feed_forward = round(model.width * FEED_FORWARD_RATIO / FEED_FORWARD_MULTIPLE) * FEED_FORWARD_MULTIPLE
    return Shape(
        family="llama",
        layers=model.layers,
        width=model.width,
        heads=model.heads,
        key_heads=model.heads,
        head_size=model.width // model.heads,
        feed_forward=max(feed_forward, FEED_FORWARD_MULTIPLE),
        vocabulary=model.vocabulary,
        positions=model.context_tokens,
    )


def find_card(name: str) -> Card:
    """Return the card of a name: `auto` is this machine's card or processor, `cpu` its processor.

    Raises:
        BadSetting: there is none of that name.
    """
    if name == "auto":
        return card_here()
    return processor() if name == "cpu" else card_named(name)


def card_here() -> Card:
    """Return this machine's first card as it is now, or its processor."""
    import torch

    if not torch.cuda.is_available():
        return processor()
    free_bytes, _ = torch.cuda.mem_get_info()
    return Card(torch.cuda.get_device_name(), free_bytes, "cuda", torch.cuda.is_bf16_supported())


def processor() -> Card:
    """Return the memory that this machine, or the container we are in, can still give."""
    import psutil

    free = int(psutil.virtual_memory().available)
    most, used = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    if most is not None and used is not None:
        # file pages count as used and are given back on demand
        free = min(free, most - used + (_cached_bytes() or 0))
    return Card("the processor", max(free, 0), "cpu", has_bf16=False)


def precision_on(settings: TrainSettings, card: Card) -> Number:
    """Return the arithmetic that a training takes there; a processor counts as fp32, which needs the most."""
    if settings.precision != "auto":
        return settings.precision
    if card.device == "cpu":
        return "fp32"
    return "bf16" if card.has_bf16 else "fp16"


def _needs(settings: TrainSettings, forecast: Forecast) -> Iterator[StageNeed]:
    """Yield the needs of the stages; of `forecast` only machine, shape, precision and processes are read."""
    for name in STAGES_OF_WORDS:
        stage: TrainingStage = getattr(settings, name)
        if stage.steps:
            yield _need_of_rows(settings, name, stage, forecast)
    if settings.prefer.steps:
        yield _need_of_preferring(settings, forecast)


def _need_of_rows(settings: TrainSettings, name: str, stage: TrainingStage, forecast: Forecast) -> StageNeed:
    context, shape = settings.model.context_tokens, forecast.shape
    row_tokens = min(stage.row_tokens or context, context, shape.positions or context)
    rows = stage.rows_at_once
    way = Way(
        method=settings.adapter.method,
        optimizer=stage.optimizer,
        precision=forecast.precision,
        rank=settings.adapter.rank,
        checkpointing=settings.gradient_checkpointing,
        attention=_attention(forecast.card, row_tokens),
        loss=settings.loss,
        device=forecast.card.device,
        learnt=(row_tokens - 1) / row_tokens,
        accumulates=rows < stage.batch_rows,
    )
    need = estimate(shape, way, row_tokens, rows)
    if settings.processes == "fsdp":
        need = in_shards(need, shape, way, forecast.processes)
    return StageNeed(name, rows, row_tokens, need)


def _need_of_preferring(settings: TrainSettings, forecast: Forecast) -> StageNeed:
    """Return what `prefer` needs where every answer fills the context with its prompt.

    DPO computes both answers of a pair together, so each row counts twice, as it does where only the ratings will
    tell the method. KTO looks at a second answer beside each one, but before, and keeps no activations of it.
    """
    stage, card, shape = settings.prefer, forecast.card, forecast.shape
    context = min(settings.model.context_tokens, shape.positions or settings.model.context_tokens)
    rows = stage.rows_at_once or stage.batch_rows
    way = Way(
        precision=forecast.precision,
        checkpointing=settings.gradient_checkpointing,
        attention=_attention(card, context),
        loss="chunked",  # TRL's head never holds all logits, whatever `train.loss` says
        device=card.device,
        accumulates=rows < stage.batch_rows,
    )
    at_once = rows if stage.method == "kto" else 2 * rows
    return StageNeed("prefer", rows, context, estimate(shape, way, context, at_once))


def _attention(card: Card, row_tokens: int) -> Literal["sdpa", "eager"]:
    # late: it imports torch
    from psyllm.train.machine import LONGEST_PLAIN_ROW_TOKENS

    return "eager" if card.device == "cpu" and row_tokens <= LONGEST_PLAIN_ROW_TOKENS else "sdpa"


def _what_fits(settings: TrainSettings, forecast: Forecast) -> Changes | None:
    """Return the first change, or pair of changes, with which all stages fit; what costs least comes first."""
    choices = list(_choices(settings, forecast))
    for several in chain(combinations(choices, 1), combinations(choices, 2)):
        together = {name: value for one in several for name, value in one.items()}
        if len(together) < sum(map(len, several)):
            continue
        changed = _with(settings, together)
        if changed != settings and forecast._replace(stages=tuple(_needs(changed, forecast))).fits:
            return together
    return None


def _choices(settings: TrainSettings, forecast: Forecast) -> Iterator[Changes]:
    """Yield single changes: first those that change no result, then those that cost time, then the rest."""
    failing = [one for one in forecast.stages if one.need.planned > forecast.card.free_bytes]
    if settings.loss == "plain":
        yield {"loss": "auto"}
    for parts in _powers_of_two(max(one.rows for one in failing)):
        yield {
            f"{one.stage}.rows_at_once": _part(getattr(settings, one.stage), one.rows, parts)
            for one in failing
        }
    yield {"gradient_checkpointing": True}
    # ratings are learnt in all weights, and shards hold no adapter
    if settings.base is not None and not settings.prefer.steps and settings.processes != "fsdp":
        yield {"adapter.method": "lora"}
        if forecast.card.device == "cuda":
            yield {"adapter.method": "qlora"}
    longest = max(one.row_tokens for one in failing)
    for parts in _powers_of_two(longest // FEWEST_ROW_TOKENS):
        if any(one.stage == "prefer" for one in failing):  # it has no row length of its own
            yield {"model.context_tokens": max(longest // parts, FEWEST_ROW_TOKENS)}
            continue
        yield {
            f"{one.stage}.row_tokens": max(one.row_tokens // parts, FEWEST_ROW_TOKENS)
            for one in failing
            if one.row_tokens > FEWEST_ROW_TOKENS
        }


def _powers_of_two(most: int) -> Iterator[int]:
    parts = 2
    while parts < 2 * most:
        yield parts
        parts *= 2


def _part(stage: TrainingStage | PreferStage, rows: int, parts: int) -> int:
    """Return the largest divisor of the step's rows that is no more than a part of what is computed now.

    Where that would be fewer than the stage can be computed in, the smallest that it can be.
    """
    from psyllm.train.memory_full import fewest_at_once

    fewest = fewest_at_once(stage)
    divisors = [number for number in range(fewest, rows + 1) if stage.batch_rows % number == 0]
    fits = [number for number in divisors if number <= rows // parts]
    return fits[-1] if fits else next(iter(divisors), rows)


def _with(settings: TrainSettings, changes: Changes) -> TrainSettings:
    """Return changed settings; names are dotted."""
    tree = settings.model_dump()
    for dotted, value in changes.items():
        *path, name = dotted.split(".")
        place = tree
        for step in path:
            place = place[step]
        place[name] = value
    return TrainSettings.model_validate(tree)


def _spell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):  # no such limit, or "max"
        return None


def _cached_bytes() -> int | None:
    try:
        lines = (CGROUP / "memory.stat").read_text("ascii").splitlines()
    except OSError:
        return None
    pairs = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(pairs.get("inactive_file", 0))
