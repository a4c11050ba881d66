"""`psyllm serve`: the service, its staff, its safety report and its release."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from psyllm.cli.options import DATA, Config, Data, Preset, Set, hands_on, settings_from

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
Labelled = Annotated[Path, typer.Argument(help="JSON array of {text, labels}, in PsySUICIDE's form.")]
PersonName = Annotated[str, typer.Option("--name", help="Name of the person who signs.")]
PersonRole = Annotated[str, typer.Option("--role", help="Role of the person who signs.")]
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
    if hands_on(context):
        return
    from psyllm.serve.run import run
    from psyllm.serve.stand_in import writer

    settings = settings_from(preset, config, set_).serve
    wanted = {"host": host, "port": port}
    settings = settings.model_copy(update={key: value for key, value in wanted.items() if value is not None})
    typer.echo(writer(settings, data).reason)
    run(settings, data, announce)


def announce(address: str) -> None:
    """Tell the address on standard output at once, also when a program reads it."""
    typer.echo(f"serving at {address} (visitors) and {address}/desk (counsellors); stop with Ctrl-C")
    sys.stdout.flush()


@app.command("report")
def report(labelled: Labelled, data: Data = DATA) -> None:
    """Measure the screening on a labelled file and write the safety report of this data folder."""
    from psyllm.cli.show import progress_bars
    from psyllm.safety.release import report_path
    from psyllm.safety.report import run_safety_report
    from psyllm.serve.released import model_hash

    with progress_bars():
        found = run_safety_report(labelled, model_hash(data), report_path(data))
    for half, figures in found.halves.items():
        recall, alarms = figures.recall, figures.false_alarms
        typer.echo(
            f"{half:<8} recall {recall.share:.3f} [{recall.low:.3f}, {recall.high:.3f}] of {recall.of}, "
            f"false alarms {alarms.share:.3f} [{alarms.low:.3f}, {alarms.high:.3f}] of {alarms.of}"
        )
    typer.echo("passed" if found.passed else f"not passed: {'; '.join(found.fails)}")
    typer.echo(f"report: {report_path(data)}")


@app.command("sign")
def sign_release(name: PersonName, role: PersonRole, data: Data = DATA) -> None:
    """Sign the safety report of this data folder: you take responsibility for serving the public."""
    from datetime import UTC, datetime

    from psyllm.safety.release import current_hashes, report_path, sign
    from psyllm.serve.released import model_hash

    today = datetime.now(UTC).date()
    path = sign(report_path(data), current_hashes(model_hash(data)), name=name, role=role, date=today)
    typer.echo(f"{path}: signed by {name}, {role}, {today}; a changed model, lexicon or guard voids it")


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
