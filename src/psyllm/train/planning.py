"""Whether a training fits the memory, told before time is spent, and what would make it fit.

In: the settings of training, the model's shape, a card or this machine. Out:
what each stage needs, and the one or two settings that make them fit. `plan`
is the command's; `check_memory` is asked by a training at its start. Nothing
here changes a setting, and the arithmetic is `lm.memory`'s.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from itertools import chain, combinations
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

from psyllm.core.errors import BadSetting, MissingFile
from psyllm.core.train_settings import PreferStage, TrainingStage, TrainSettings
from psyllm.lm.cards import Card, card_named
from psyllm.lm.memory import GIB, Method, Need, Number, Optimizer, Way, estimate
from psyllm.lm.model_shape import Shape, shape_of
from psyllm.train.processes import ALONE, Team

Changes: TypeAlias = dict[str, Any]

STAGES = ("adapt", "answer")
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

    `changes` is empty where all fits, None where no setting is enough.
    """

    card: Card
    shape: Shape
    precision: Number
    stages: tuple[StageNeed, ...]
    changes: Changes | None

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


def plan(settings: TrainSettings, card: Card, shape: Shape, precision: Number | None = None) -> Forecast:
    """Return what a training with these settings needs on a card, and what makes it fit."""
    precision = precision or precision_on(settings, card)
    stages = tuple(_needs(settings, card, shape, precision))
    forecast = Forecast(card, shape, precision, stages, {})
    if forecast.fits:
        return forecast
    return forecast._replace(changes=_what_fits(settings, forecast))


def check_memory(
    settings: TrainSettings, config: Mapping[str, Any], precision: str, team: Team = ALONE
) -> None:
    """Refuse, or warn of, a training that this machine can't hold; the model is in memory by now.

    What shards take is not planned yet: with `train.processes=fsdp` nothing is said.

    Raises:
        BadSetting: it will not fit, with the settings that make it fit.
    """
    if settings.plan == "off" or (settings.processes == "fsdp" and team.count > 1):
        return
    settings = _of_one(settings, team.count)
    shape, here = shape_of(config), card_here()
    if here.device == "cpu":  # each process has a card of its own, but no memory
        here = here._replace(free_bytes=here.free_bytes // team.on_this_machine)
    needs = list(_needs(settings, here, shape, cast("Number", precision)))
    # the program and, without a card, the weights as well are there already: only the rest must still be free
    there = max((one.need.context for one in needs), default=0)
    if here.device == "cpu":
        there += 4 * shape.weights().total
    forecast = plan(
        settings, here._replace(free_bytes=here.free_bytes + there), shape, cast("Number", precision)
    )
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
    """Return the settings as one of so many processes has them: its part of a step's rows."""
    if count == 1:
        return settings
    from psyllm.train.parts import goes

    changed = {}
    for name in STAGES:
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


def _needs(settings: TrainSettings, card: Card, shape: Shape, precision: Number) -> Iterator[StageNeed]:
    yield from _needs_of_rows(settings, card, shape, precision)
    if settings.prefer.steps:
        yield _need_of_preferring(settings, card, shape, precision)


def _need_of_preferring(settings: TrainSettings, card: Card, shape: Shape, precision: Number) -> StageNeed:
    """Return what `prefer` needs where every answer fills the context with its prompt.

    Each counts twice: DPO computes both answers of a pair together. KTO's second pass keeps no
    activations, so what it takes is less than is said here; how much less is not measured.
    """
    stage = settings.prefer
    context = min(settings.model.context_tokens, shape.positions or settings.model.context_tokens)
    rows = stage.rows_at_once or stage.batch_rows
    way = Way(
        precision=precision,
        checkpointing=settings.gradient_checkpointing,
        attention="eager" if card.device == "cpu" and context <= _longest_plain_row() else "sdpa",
        loss="chunked",  # TRL's head never holds all logits, whatever `train.loss` says
        device=card.device,
        accumulates=rows < stage.batch_rows,
    )
    return StageNeed("prefer", rows, context, estimate(shape, way, context, 2 * rows))


def _needs_of_rows(
    settings: TrainSettings, card: Card, shape: Shape, precision: Number
) -> Iterator[StageNeed]:
    chosen = settings.model_dump()
    method = cast("Method", chosen.get("adapter", {}).get("method", "full"))
    for name in STAGES:
        stage: TrainingStage = getattr(settings, name)
        # what is counted in epochs has no steps of its own
        if not (stage.steps or chosen[name].get("epochs", 0)):
            continue
        context = settings.model.context_tokens
        row_tokens = min(stage.row_tokens or context, context, shape.positions or context)
        rows = stage.rows_at_once or stage.batch_rows
        way = Way(
            method=method,
            optimizer=cast("Optimizer", stage.optimizer),
            precision=precision,
            rank=chosen.get("adapter", {}).get("rank", 8),
            checkpointing=chosen.get("gradient_checkpointing", False),
            attention="eager" if card.device == "cpu" and row_tokens <= _longest_plain_row() else "sdpa",
            loss=settings.loss,
            device=card.device,
            learnt=(row_tokens - 1) / row_tokens,
            accumulates=rows < stage.batch_rows,
        )
        yield StageNeed(name, rows, row_tokens, estimate(shape, way, row_tokens, rows))


def _longest_plain_row() -> int:
    from psyllm.train.machine import LONGEST_PLAIN_ROW_TOKENS

    return LONGEST_PLAIN_ROW_TOKENS


def _what_fits(settings: TrainSettings, forecast: Forecast) -> Changes | None:
    """Return the first change, or pair of changes, with which all stages fit; what costs least comes first."""
    choices = list(_choices(settings, forecast))
    for several in chain(combinations(choices, 1), combinations(choices, 2)):
        together = {name: value for one in several for name, value in one.items()}
        if len(together) < sum(map(len, several)):
            continue
        changed = _with(settings, together)
        if changed is not None:
            needs = _needs(changed, forecast.card, forecast.shape, forecast.precision)
            if all(one.need.planned <= forecast.card.free_bytes for one in needs):
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
    if settings.base is not None and not settings.prefer.steps:  # which learns in all weights
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


def _with(settings: TrainSettings, changes: Changes) -> TrainSettings | None:
    """Return changed settings; None where they are the same or a setting does not exist."""
    tree = settings.model_dump()
    for dotted, value in changes.items():
        *path, name = dotted.split(".")
        place = tree
        for step in path:
            place = place.get(step, {})
        if name not in place or place[name] == value:
            return None
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
