"""`psyllm collect`: files of others, or the starter corpus, become records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psyllm.cli import crawling
from psyllm.cli.options import DATA, Config, Data, Preset, Set, settings_from
from psyllm.cli.show import carry_out

if TYPE_CHECKING:
    from psyllm.core.collect_settings import CollectSettings

app = typer.Typer(
    help="1 Files become records: data/1_collected.", no_args_is_help=True, rich_markup_mode=None
)

app.command("crawl")(crawling.crawl)
app.command("crawl-stop")(crawling.crawl_stop)
app.command("permission-template")(crawling.permission_template)

SourcePath = Annotated[Path, typer.Argument(help="File or folder; its format is found by its content.")]
Name = Annotated[str, typer.Option("--name", help="Name of the source.")]
Licence = Annotated[str, typer.Option("--licence", help="Licence of the source, for example CC0-1.0.")]
Limit = Annotated[int | None, typer.Option("--limit", help="Import only the first so many records.")]
Train = Annotated[
    bool | None,
    typer.Option("--train/--no-train", help="Does the licence allow training? It does if not said."),
]
Show = Annotated[
    bool | None,
    typer.Option("--show/--no-show", help="May visitors see the texts? They may not if not said."),
]
Uses = Annotated[
    str | None,
    typer.Option(
        "--uses",
        help="What an agreement allows: any, non_commercial or research; else the licence says it."
        " More than the licence allows counts only with --agreement.",
    ),
]
Expires = Annotated[
    str | None, typer.Option("--expires", help="Last day of the agreement, for example 2027-06-30.")
]
Agreement = Annotated[
    Path | None, typer.Option("--agreement", help="File of the agreement; its hash is kept, the file is not.")
]
OwnWork = Annotated[
    bool,
    typer.Option(
        "--own-work",
        help="The texts were written first-hand and made from no other data; without it a leak check says unknown.",
    ),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace a source of this name that holds something else.")
]


@app.command("import")
def import_path(
    path: SourcePath,
    name: Name,
    licence: Licence,
    data: Data = DATA,
    limit: Limit = None,
    train: Train = None,
    show: Show = None,
    uses: Uses = None,
    expires: Expires = None,
    agreement: Agreement = None,
    own_work: OwnWork = False,
    replace: Replace = False,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Import a file, folder, tar or zip, packed or not; form and encoding are found by content.

    Known are PsyQA, SmileChat, messages, ShareGPT, EmoLLM, alpaca, ChatML, CPsyCoun,
    Markdown, tables (CSV, TSV, Excel, Parquet, JSON objects) and psyllm's own records:
    psyllm collect formats shows an example of each. A table's columns with unusual
    names are named with --set collect.columns.question=NAME and its kin.
    """
    section = settings_from(preset, config, set_).collect
    values = {"path": path, "name": name, "licence": licence, "replace": replace or section.replace}
    values["own_work"] = own_work or section.own_work
    # What is not said stays as the settings say: --set collect.may_train=false must not be lost.
    said: dict[str, object] = {"may_train": train, "may_show": show, "limit": limit}
    said |= {"uses": uses, "expires": expires, "agreement": agreement}
    values |= {key: value for key, value in said.items() if value is not None}
    _collect(section, values, data)


@app.command("formats")
def show_formats() -> None:
    """List the forms that can be imported, each with an example."""
    from psyllm.collect.formats import known_forms

    for form in known_forms():
        typer.echo(f"{form.name}: {form.note}")
        typer.echo("".join(f"    {line}\n" for line in form.example.split("\n")))


@app.command("starter")
def import_starter(
    data: Data = DATA,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Import the starter corpus that ships with psyllm (questions, answers and articles written for it)."""
    section = settings_from(preset, config, set_).collect
    values = {"path": None, "name": "starter", "licence": "CC-BY-4.0", "may_show": True, "replace": True}
    _collect(section, values, data)


def _collect(section: CollectSettings, values: Mapping[str, object], data: Path) -> None:
    from pydantic import ValidationError

    from psyllm.collect.run import run
    from psyllm.core.collect_settings import CollectSettings as Section
    from psyllm.core.errors import BadSetting

    try:
        settings = Section.model_validate({**section.model_dump(), **values})
    except ValidationError as error:
        first = error.errors()[0]
        message = f"--{first['loc'][0]}: {first['msg'].lower()}"
        raise BadSetting(message, "run: psyllm collect import --help") from error
    carry_out(run, settings, data)
