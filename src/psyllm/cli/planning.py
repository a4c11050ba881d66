"""`psyllm train plan`: whether a training fits the memory, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psyllm.cli.options import Config, Preset, Set, settings_from

if TYPE_CHECKING:
    from psyllm.lm.model_shape import Shape
    from psyllm.train.planning import Forecast

DOES_NOT_FIT = 1
COLUMNS = {
    "weights": 9,
    "gradients": 11,
    "optimiser": 11,
    "activations": 13,
    "loss": 7,
    "context": 9,
    "planned": 9,
}

Base = Annotated[
    Path | None,
    typer.Option(
        "--base", help="Checkpoint folder, its config.json is enough; or a model's name in psyllm models."
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        "--processes", min=1, help="Processes that share the work, each with a card; shown is what one needs."
    ),
]
CardName = Annotated[
    str, typer.Option("--card", help='"V100 32", "RTX 3060 12", "H200" …, cpu, or auto: what is here.')
]


def plan(
    base: Base = None,
    card: CardName = "auto",
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
    processes: Processes = 1,
) -> None:
    """Say whether a training fits the memory, part by part, and which setting makes it fit."""
    from psyllm.train.parts import check_sharing
    from psyllm.train.planning import find_card, new_shape, plan, read_shape

    settings = settings_from(preset, config, set_).train
    settings = settings if base is None else settings.model_copy(update={"base": base})
    if processes > 1 and settings.processes == "one":  # as psyllm train takes it
        settings = settings.model_copy(update={"processes": "ddp"})
    check_sharing(settings, processes)
    if settings.base is None:
        shape = new_shape(settings)
    else:
        shape = _known_shape(settings.base) or read_shape(_folder_of(settings.base))
    place = find_card(card)
    if place.device == "cpu":  # its memory is that of all of them
        place = place._replace(free_bytes=place.free_bytes // processes)
    forecast = plan(settings, place, shape, processes=processes)
    typer.echo("\n".join(lines(forecast)))
    if not forecast.fits:
        raise typer.Exit(DOES_NOT_FIT)


def lines(forecast: Forecast) -> list[str]:
    """Return the plan as a small table and a verdict, in GiB."""
    from psyllm.lm.memory import GIB

    shape, card = forecast.shape, forecast.card
    weights = shape.weights().total
    model = f"{shape.family}-shaped, {weights / 1e6:,.1f}M weights, {forecast.precision}"
    head = "".join(f"{name:>{width}}" for name, width in COLUMNS.items())
    each = "" if forecast.processes == 1 else f" for each of {forecast.processes} processes"
    said = [f"{model}; {card.name} has {card.free_bytes / GIB:.1f} GiB{each}", f"{'GiB':<20}{head}"]
    for one in forecast.stages:
        need = one.need
        parts = (need.weights, need.gradients, need.optimizer, need.activations, need.logits, need.context)
        cells = [
            f"{part / GIB:>{width}.2f}"
            for part, width in zip((*parts, need.planned), COLUMNS.values(), strict=True)
        ]
        said.append(f"{f'{one.stage} {one.rows} x {one.row_tokens}':<20}{''.join(cells)}")
    return [*said, _verdict(forecast)]


def _verdict(forecast: Forecast) -> str:
    if not forecast.stages:
        return "no stage is to run"
    if not forecast.fits:
        if forecast.changes is None:
            return f"does not fit, and no setting is enough: {forecast.advice}"
        return f"does not fit; this would: {forecast.advice}"
    return "fits, but tightly: the plan may be off by a seventh" if forecast.is_tight else "fits"


def _folder_of(base: Path) -> Path:
    from psyllm.lm.known import is_embedded, packaged

    return packaged(base) if is_embedded(base) else base


def _known_shape(base: Path) -> Shape | None:
    """Return the shape of a model that is known by name, whether its files are here or not."""
    from psyllm.lm.known import known_models
    from psyllm.lm.model_shape import shape_of

    if base.is_dir():
        return None
    return next((shape_of(row.config) for row in known_models() if Path(row.name) == base), None)
