"""The command line `psyllm`: words typed become one call of a room's `run()`.

Commands stand in the order of the flow. Rooms are imported inside the commands,
so that `--help` answers at once. An error ends with two lines (what is wrong,
what to type next) and exit status 2; a stop by Ctrl-C with status 130. Nothing
here works on records itself.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from psyllm.cli import (
    cleaning,
    collecting,
    evaluating,
    forgetting,
    looking,
    making,
    models,
    reviewing,
    serving,
    training,
)

WRONG_INPUT = 2
STOPPED = 130

FLOW = ("collect", "clean", "corpus", "train", "evaluate", "serve", "feedback")


class InOrderOfFlow(TyperGroup):
    """Lists the rooms in the order of the flow, then the rest; typer would list commands before groups."""

    def list_commands(self, _ctx: object) -> list[str]:
        """Return the names of the commands as `--help` lists them."""
        rest = [name for name in self.commands if name not in FLOW]
        return [*FLOW, *rest]


app = typer.Typer(
    name="psyllm",
    cls=InOrderOfFlow,
    help="Psy-LLM: from raw Chinese text to a counsellor's desk. Not a doctor, not an emergency service.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
app.add_typer(collecting.app, name="collect")
app.add_typer(cleaning.app, name="clean")
app.add_typer(reviewing.app, name="corpus")
app.add_typer(training.app, name="train")
app.add_typer(evaluating.app, name="evaluate")
app.add_typer(serving.app, name="serve")
app.command("feedback")(making.feedback)
app.add_typer(models.app, name="models")
app.command("forget")(forgetting.forget)
app.command("status")(looking.status)
app.command("doctor")(looking.doctor)
app.command("settings")(looking.settings)


Version = Annotated[bool, typer.Option("--version", help="Print name and version.")]


@app.callback(invoke_without_command=True)
def before_any_command(version: Version = False) -> None:
    """Take the options that stand before a command."""
    if version:
        from importlib import metadata

        typer.echo(f"psyllm {metadata.version('psyllm')}")
        raise typer.Exit


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command and return the exit status."""
    try:
        result = app(words, standalone_mode=False, prog_name="psyllm")
    except (typer.Abort, KeyboardInterrupt):
        result = STOPPED
    except typer.TyperException as error:
        return _say_usage(error)
    except Exception as error:
        if _said(error):
            return WRONG_INPUT
        raise
    if result == STOPPED:  # typer makes this status of a Ctrl-C and says nothing
        sys.stderr.write("\nstopped; what was complete is kept\nnext: run the same command to go on\n")
    return result if isinstance(result, int) else 0


def _say_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "psyllm"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(f"{message}\n")
    else:
        sys.stderr.write(f"error: {' '.join(message.split())}\nnext: {path} --help\n")
    return WRONG_INPUT


def _said(error: Exception) -> bool:
    """Print an expected error in two lines; False for one that nobody expected."""
    from pathlib import Path

    from psyllm.core.errors import PsyError, UnusablePath

    if isinstance(error, OSError) and error.filename is not None:
        path = Path(os.fsdecode(error.filename))
        there = next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
        message = f"{path}: {(error.strerror or 'can not be used').lower()}"
        error = UnusablePath(
            message, f"check the path and who may read and write it: ls -ld {shlex.quote(str(there))}"
        )
    if not isinstance(error, PsyError):
        return False
    sys.stderr.write(f"error {error.code}: {error.message}\nnext: {error.next_step}\n")
    return True
