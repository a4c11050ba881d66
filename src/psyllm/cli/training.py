"""The commands of training: train, and what is asked before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psyllm.cli import model_files
from psyllm.cli.options import DATA, Config, Data, Preset, Set, settings_from
from psyllm.cli.show import carry_out

Base = Annotated[Path | None, typer.Option("--base", help="Local checkpoint folder to start from.")]

app = typer.Typer(rich_markup_mode=None)
app.command("merge")(model_files.merge)
app.command("export")(model_files.export)


@app.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    data: Data = DATA,
    base: Base = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """4 A model is trained in two stages, adapt and answer: data/4_models."""
    if context.invoked_subcommand is not None:
        return
    from psyllm.train.run import run

    settings = settings_from(preset, config, set_).train
    if base is not None:
        settings = settings.model_copy(update={"base": base})
    carry_out(run, settings, data)
