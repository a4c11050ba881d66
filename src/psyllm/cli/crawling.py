"""`psyllm collect crawl` and its kin: a site that allowed it becomes records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psyllm.cli.options import DATA, Config, Data, Preset, Set, settings_from
from psyllm.cli.show import carry_out

if TYPE_CHECKING:
    from psyllm.core.collect_settings import CrawlSettings
    from psyllm.core.stages import Manifest

PermissionPath = Annotated[
    Path, typer.Argument(help="The permission: who allows what, until when. Without one nothing is fetched.")
]
FrontierPlace = Annotated[
    str | None, typer.Option("--frontier", help="redis://… for workers on many machines; a file if not said.")
]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes that fetch; hosts see one clock.")]
SourceName = Annotated[str, typer.Argument(help="The source, as its permission names it.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take the stop back; nothing is fetched yet.")]


def crawl(
    permission: PermissionPath,
    data: Data = DATA,
    frontier: FrontierPlace = None,
    workers: Workers = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Fetch what PERMISSION allows, politely, and write records; the same command goes on where it stopped."""
    from psyllm.collect.crawl.crawling import Crawl

    def run(settings: CrawlSettings, folder: Path) -> Manifest:
        return Crawl(settings, folder, permission).run()

    carry_out(run, _settings(preset, config, set_, frontier, workers), data)


def crawl_stop(
    source: SourceName,
    data: Data = DATA,
    frontier: FrontierPlace = None,
    undo: Undo = False,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Stop a crawl: within seconds no worker, here or on another machine, sends anything new."""
    from psyllm.collect.crawl.crawling import stop_crawl

    folder = stop_crawl(
        _settings(preset, config, set_, frontier, None), data, source, "" if undo else "by hand"
    )
    typer.echo(f"{folder}: {'the stop is taken back' if undo else 'stopped'}")


def permission_template() -> None:
    """Print a permission to fill in; write it to a file: permission-template > permission.toml."""
    from psyllm.collect.crawl.permission import template

    typer.echo(template(), nl=False)


def _settings(
    preset: str | None,
    config: Path | None,
    overrides: list[str] | None,
    frontier: str | None,
    workers: int | None,
) -> CrawlSettings:
    from pydantic import ValidationError

    from psyllm.core.collect_settings import CrawlSettings as Section
    from psyllm.core.errors import BadSetting

    section = settings_from(preset, config, overrides).collect.crawl
    said = {"frontier": frontier, "workers": workers}
    values = {name: value for name, value in said.items() if value is not None}
    try:
        return Section.model_validate({**section.model_dump(), **values})
    except ValidationError as error:
        first = error.errors()[0]
        message = f"--{first['loc'][0]}: {first['msg'].lower()}"
        raise BadSetting(message, "run: psyllm collect crawl --help") from error
