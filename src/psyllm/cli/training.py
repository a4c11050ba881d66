"""The commands of training: train, and the three ways to go on, each of which first says what it will do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psyllm.cli import model_files, planning
from psyllm.cli.options import DATA, Config, Data, Preset, Set, settings_from
from psyllm.cli.show import carry_out

if TYPE_CHECKING:
    from psyllm.train.undertaking import Undertaking

Base = Annotated[
    Path | None,
    typer.Option("--base", help="Local checkpoint folder, or the name of a fetched model, to start from."),
]

app = typer.Typer(rich_markup_mode=None)
app.command("plan")(planning.plan)
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
        if data != DATA or any((base, preset, config, set_)):
            message = (
                f"write the options behind the command: psyllm train {context.invoked_subcommand} --data …"
            )
            raise typer.BadParameter(message)
        return
    from psyllm.train.run import run

    settings = settings_from(preset, config, set_).train
    if base is not None:
        settings = settings.model_copy(update={"base": base})
    if settings.base is not None:
        from psyllm.lm.known import base_folder

        settings = settings.model_copy(update={"base": base_folder(settings.base, data)})
    carry_out(run, settings, data)


Run = Annotated[str | None, typer.Argument(help="A run of 4_models; else the newest unfinished one.")]
Finished = Annotated[str | None, typer.Argument(help="A finished run of 4_models; else the one in use.")]
ChangedCode = Annotated[
    bool, typer.Option("--changed-code", help="Go on although the program has changed since it began.")
]
MoreSteps = Annotated[int, typer.Option("--steps", min=0, help="So many steps more.")]
MoreEpochs = Annotated[float, typer.Option("--epochs", min=0, help="So many passes over its rows more.")]
Patience = Annotated[
    int | None,
    typer.Option("--patience", min=0, help="Evaluations without a better dev loss; 0 never stops."),
]


@app.command("resume")
def resume(run: Run = None, data: Data = DATA, changed_code: ChangedCode = False) -> None:
    """An interrupted training goes on from its last checkpoint and ends in the same bits."""
    from psyllm.train.undertaking import resumed

    _undertake(resumed(data, run, changed_code=changed_code), data)


@app.command("continue")
def continue_(
    run: Finished = None,
    data: Data = DATA,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """A new run starts from a finished model: other texts or settings, a new optimiser and schedule."""
    from psyllm.train.undertaking import continued

    _undertake(continued(settings_from(preset, config, set_).train, data, run), data)


@app.command("more")
def more(
    run: Finished = None,
    steps: MoreSteps = 0,
    epochs: MoreEpochs = 0,
    patience: Patience = None,
    data: Data = DATA,
) -> None:
    """A finished run's last stage goes on, in a new run, as if it had been planned longer.

    Weights, the optimiser's state and the order of the rows are those of its last step. The rate is that of the
    longer plan: after a fall it may climb again, to what the longer plan has at that step, and falls later.
    """
    from psyllm.train.undertaking import longer

    _undertake(longer(data, run, steps=steps, epochs=epochs, patience=patience), data)


def _undertake(undertaking: Undertaking, data: Path) -> None:
    from psyllm.train.run import undertake

    typer.echo(undertaking.says)
    carry_out(undertake, undertaking, data)
