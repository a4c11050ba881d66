"""The options that every command of the flow takes, and how they become settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from psyllm.core.settings import Settings

Data = Annotated[Path, typer.Option("--data", help="Folder that holds 1_collected to 6_feedback.")]
Preset = Annotated[str | None, typer.Option("--preset", help="Named settings that ship with psyllm.")]
Config = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="One setting, as section.name=value; repeatable.")
]

DATA = Path("data")


def hands_on(context: typer.Context) -> bool:
    """Return whether another command stands behind this one, and does the work.

    Raises:
        BadParameter: options stand between the two, and would be lost without a word.
    """
    if context.invoked_subcommand is None:
        return False
    sources = map(context.get_parameter_source, context.params)
    if any(source is not None and source.name == "COMMANDLINE" for source in sources):
        message = (
            f"write the options behind the command: {context.command_path} {context.invoked_subcommand} --…"
        )
        raise typer.BadParameter(message)
    return True


def settings_from(
    preset: str | None, config: Path | None, overrides: list[str] | None, first: list[str] | None = None
) -> Settings:
    """Return the settings; `first` are overrides that come from a command's own options."""
    from psyllm.core.settings import load_settings

    return load_settings(preset, config, [*(overrides or []), *(first or [])])
