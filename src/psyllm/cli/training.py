"""The commands of training: train, and what is asked before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psyllm.cli.options import DATA, Config, Data, Preset, Set, settings_from
from psyllm.cli.show import carry_out

Base = Annotated[Path | None, typer.Option("--base", help="Local checkpoint folder to start from.")]

Processes = Annotated[
    int, typer.Option("--processes", min=1, help="Processes on this machine that share the work.")
]

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    data: Data = DATA,
    base: Base = None,
    processes: Processes = 1,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """4 A model is trained in two stages, adapt and answer: data/4_models."""
    if context.invoked_subcommand is not None:
        return
    if processes > 1:
        _in_several(processes, data, base, preset, config, set_ or [])
        return
    from psyllm.train.processes import is_follower
    from psyllm.train.run import run

    settings = settings_from(preset, config, set_).train
    if base is not None:
        settings = settings.model_copy(update={"base": base})
    if is_follower():
        run(settings, data)
    else:
        carry_out(run, settings, data)


def _in_several(
    processes: int,
    data: Path,
    base: Path | None,
    preset: str | None,
    config: Path | None,
    set_: list[str],
) -> None:
    """Start the same command so many times; copies of the model, unless the settings say shards."""
    from psyllm.train.launch import launch

    if settings_from(preset, config, set_).train.processes == "one":
        set_ = [*set_, "train.processes=ddp"]
    named = {"--data": data, "--base": base, "--preset": preset, "--config": config}
    words = [word for name, value in named.items() if value is not None for word in (name, str(value))]
    words += [word for setting in set_ for word in ("--set", setting)]
    launch(processes, ["train", *words])
