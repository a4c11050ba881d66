"""`psyllm corpus export`: the corpus in use in another program's form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psyllm.cli.options import DATA, Data
from psyllm.cli.show import progress_bars

FormName = Annotated[str, typer.Argument(help="psyqa, alpaca, sharegpt, messages, parquet or llamafactory.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write; DATA/exports/FORM if not said.")]


def export(form: FormName, data: Data = DATA, out: Out = None) -> None:
    """Write the corpus in use as files for other programs, with its card and terms."""
    from psyllm.corpus.export import export as write

    with progress_bars():
        done = write(form, data, out)
    for name, rows in done.rows.items():
        typer.echo(f"{done.folder / name}: {rows:,} rows")
    for kind, count in done.left_out.items():
        typer.echo(f"left out, for {form} can't hold them: {count:,} of kind {kind}")
    if out is not None:
        typer.echo("psyllm forget does not reach this folder: write it again after each forgetting")
