"""`psyllm serve`: the service, its staff, its safety report and its release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psyllm.cli.options import DATA, Config, Data, Preset, Set, settings_from

app = typer.Typer(
    help="Serve visitors and the desk at http://127.0.0.1:8000.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
staff = typer.Typer(help="Who may sign in to the desk.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(staff, name="staff")

Host = Annotated[
    str | None, typer.Option("--host", help="Address; other than loopback needs a signed release.")
]
Port = Annotated[int | None, typer.Option("--port", help="TCP port; 0 takes a free one.")]
StaffName = Annotated[str, typer.Argument(help="Name to sign in with.")]
Role = Annotated[str, typer.Option("--role", help="counsellor or supervisor")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="Read the password from a file instead of asking.")
]


@app.callback()
def serve(
    context: typer.Context,
    data: Data = DATA,
    host: Host = None,
    port: Port = None,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Serve visitors and the desk until Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    from psyllm.serve.run import run

    settings = settings_from(preset, config, set_).serve
    wanted = {"host": host, "port": port}
    settings = settings.model_copy(update={key: value for key, value in wanted.items() if value is not None})
    run(settings, data)


@staff.command("add")
def staff_add(
    name: StaffName,
    role: Role = "counsellor",
    password_file: PasswordFile = None,
    data: Data = DATA,
) -> None:
    """Add a counsellor or supervisor; asks for the password twice."""
    from psyllm.casebook.admin import add_staff

    if password_file is not None:
        password = _read_password(password_file)
    else:
        password = typer.prompt("password", hide_input=True, confirmation_prompt=True)
    add_staff(data, name, role, password)
    typer.echo(f"{name} may sign in at /desk")


@staff.command("list")
def staff_list(data: Data = DATA) -> None:
    """List who may sign in."""
    from psyllm.casebook.admin import list_staff

    for row in list_staff(data):
        state = "disabled" if row.disabled else "active"
        typer.echo(f"{row.name}\t{row.role}\t{state}")


@staff.command("disable")
def staff_disable(name: StaffName, data: Data = DATA) -> None:
    """Take somebody's access away and end their sessions."""
    from psyllm.casebook.admin import disable_staff

    disable_staff(data, name)
    typer.echo(f"{name} can't sign in any more")


def _read_password(path: Path) -> str:
    from psyllm.core.errors import MissingFile

    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError as error:
        message = f"password file {path} does not exist"
        raise MissingFile(message, "check the path after --password-file") from error
