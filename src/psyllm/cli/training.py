"""The commands of training: train, and the three ways to go on, each of which first says what it will do.

Each of the four is carried out here, by one of the processes that torchrun
started, or with `--processes` by as many new ones, started with the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from psyllm.cli import model_files, planning
from psyllm.cli.options import DATA, Config, Data, Preset, Set, hands_on, settings_from
from psyllm.cli.show import carry_out
from psyllm.core.errors import BadSetting

if TYPE_CHECKING:
    from psyllm.core.stages import Manifest
    from psyllm.train.undertaking import Undertaking

S = TypeVar("S")

Base = Annotated[
    Path | None,
    typer.Option(
        "--base", help="Local checkpoint folder, embedded, or the name of a fetched model, to start from."
    ),
]
Processes = Annotated[
    int, typer.Option("--processes", min=1, help="Processes on this machine that share the work.")
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
    processes: Processes = 1,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """4 A model is trained in stages, adapt, answer and prefer: data/4_models."""
    if hands_on(context):
        return
    set_ = _shared(processes, preset, config, set_)
    settings = settings_from(preset, config, set_).train
    if processes > 1:
        _start(processes, [], {"--data": data, "--base": base, "--preset": preset, "--config": config}, set_)
        return
    from psyllm.train.run import run

    if base is not None:
        settings = settings.model_copy(update={"base": base})
    if settings.base is not None:
        from psyllm.lm.known import base_folder

        settings = settings.model_copy(update={"base": base_folder(settings.base, data)})
    _carry_out(run, settings, data)


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
def resume(
    run: Run = None, data: Data = DATA, processes: Processes = 1, changed_code: ChangedCode = False
) -> None:
    """An interrupted training goes on from its last checkpoint and ends in the same bits."""
    from psyllm.train.undertaking import resumed

    undertaking = resumed(data, run, changed_code=changed_code)
    if processes > 1:
        _need_several(undertaking)
        words = ["resume", undertaking.stage_run.name, *(["--changed-code"] if changed_code else [])]
        _start(processes, words, {"--data": data})
        return
    _undertake(undertaking, data)


@app.command("continue")
def continue_(
    run: Finished = None,
    data: Data = DATA,
    processes: Processes = 1,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """A new run starts from a finished model: other texts or settings, a new optimiser and schedule."""
    from psyllm.train.undertaking import continued

    set_ = _shared(processes, preset, config, set_)
    undertaking = continued(settings_from(preset, config, set_).train, data, run)
    if processes > 1:
        words = ["continue", *([run] if run else [])]
        _start(processes, words, {"--data": data, "--preset": preset, "--config": config}, set_)
        return
    _undertake(undertaking, data)


@app.command("more")
def more(
    run: Finished = None,
    steps: MoreSteps = 0,
    epochs: MoreEpochs = 0,
    patience: Patience = None,
    data: Data = DATA,
    processes: Processes = 1,
) -> None:
    """A finished run's last stage goes on, in a new run, as if it had been planned longer.

    Weights, the optimiser's state and the order of the rows are those of its last step. The rate is that of the
    longer plan: after a fall it may climb again, to what the longer plan has at that step, and falls later.
    """
    from psyllm.train.undertaking import longer

    undertaking = longer(data, run, steps=steps, epochs=epochs, patience=patience)
    if processes > 1:
        _need_several(undertaking)
        named = {"--steps": steps or None, "--epochs": epochs or None, "--patience": patience, "--data": data}
        _start(processes, ["more", *([run] if run else [])], named)
        return
    _undertake(undertaking, data)


def _undertake(undertaking: Undertaking, data: Path) -> None:
    from psyllm.train.processes import is_follower
    from psyllm.train.run import undertake

    if not is_follower():
        typer.echo(undertaking.says)
    _carry_out(undertake, undertaking, data)


def _carry_out(run: Callable[[S, Path], Manifest], settings: S, data: Path) -> None:
    """Run it; of several processes only the first shows how far it is, and what came out."""
    from psyllm.train.processes import is_follower

    if is_follower():
        run(settings, data)
    else:
        carry_out(run, settings, data)


def _shared(processes: int, preset: str | None, config: Path | None, set_: list[str] | None) -> list[str]:
    """Return the settings typed, with copies of the model where nothing says how several processes share it."""
    asked = set_ or []
    if processes > 1 and settings_from(preset, config, asked).train.processes == "one":
        return [*asked, "train.processes=ddp"]
    return asked


def _need_several(undertaking: Undertaking) -> None:
    if undertaking.settings.processes == "one":
        message = "this run was begun by one process (train.processes=one), and goes on in one"
        raise BadSetting(message, "leave --processes out; or start from its weights: psyllm train continue")


def _start(processes: int, words: list[str], named: Mapping[str, object], set_: Sequence[str] = ()) -> None:
    """Start `psyllm train` with these words in so many processes; what is None was not typed."""
    from psyllm.train.launch import launch

    options = [word for name, value in named.items() if value is not None for word in (name, str(value))]
    options += [word for setting in set_ for word in ("--set", setting)]
    launch(processes, ["train", *words, *options])
