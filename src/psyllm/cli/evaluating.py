"""`psyllm evaluate`: the model in use is measured; `compare` puts finished models side by side."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from psyllm.cli.making import evaluate as evaluate_one
from psyllm.cli.options import DATA, Config, Data, Preset, Set, hands_on, settings_from
from psyllm.cli.show import carry_out

app = typer.Typer(
    help="5 The model in use is measured on the test split: data/5_reports.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Runs = Annotated[list[str], typer.Argument(help="Finished runs of 4_models, two or more.")]


@app.callback()
def evaluate(
    context: typer.Context,
    data: Data = DATA,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """5 The model in use is measured on the test split: data/5_reports."""
    if not hands_on(context):
        evaluate_one(data, preset, config, set_)


@app.command("compare")
def compare(
    runs: Runs, data: Data = DATA, preset: Preset = None, config: Config = None, set_: Set = None
) -> None:
    """Finished models stand side by side on the test split of the first one's corpus: one page, per character.

    Refused where a model has learnt from that split. The report in use stays in use.
    """
    from psyllm.evaluate.run import compare as compare_models

    carry_out(partial(compare_models, names=runs), settings_from(preset, config, set_).evaluate, data)
