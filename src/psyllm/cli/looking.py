"""`psyllm status`, `doctor` and `settings`: commands that only look."""

from __future__ import annotations

from typing import Annotated

import typer

from psyllm.cli.options import DATA, Config, Data, Preset, Set, settings_from

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def status(data: Data = DATA, json: Json = False) -> None:
    """Show the six folders: what is in use, how much, and what is stale."""
    import datetime as dt

    from psyllm.cli.stale import ends_of_terms, folders

    found = folders(data)
    ends = ends_of_terms(data, dt.datetime.now(dt.UTC).date())
    if json:
        import orjson

        rows = [{**folder._asdict(), "terms": ends.get(folder.stage, "")} for folder in found]
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for folder in found:
        counts = ", ".join(f"{name} {count:,}" for name, count in folder.counts.items()) or "-"
        typer.echo(f"{folder.stage:<12} {folder.state:<9} {', '.join(folder.runs) or '-'}")
        typer.echo(f"{'':<12} {'':<9} {counts}")
        if folder.next_step:
            typer.echo(f"{'':<12} {'':<9} {folder.reason}; run: {folder.next_step}")
    for sentence in ends.values():
        typer.echo(f"terms: {sentence}")


def doctor(data: Data = DATA, json: Json = False) -> None:
    """Look at this machine: cores, memory, GPU, extras, database; name what mends each lack."""
    from psyllm.cli.health import findings

    found = findings(data)
    if json:
        import orjson

        typer.echo(
            orjson.dumps([finding._asdict() for finding in found], option=orjson.OPT_INDENT_2).decode()
        )
        return
    for finding in found:
        typer.echo(f"{'ok' if finding.good else 'lack':<5} {finding.name:<18} {finding.found}")
        if not finding.good:
            typer.echo(f"{'':<5} {'':<18} mend it with: {finding.mend}")


def settings(preset: Preset = None, config: Config = None, set_: Set = None) -> None:
    """List every setting with its value and one sentence."""
    from psyllm.core.settings import setting_rows

    tree = settings_from(preset, config, set_)
    for name, value, sentence in setting_rows(tree):
        typer.echo(f"{name} = {value}\n    {sentence}")
