"""`psyllm models`: which models are known by name, what they take, and which are here; `fetch` gets one, `embedded` judges."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from psyllm.cli.options import DATA, Data, hands_on

if TYPE_CHECKING:
    from psyllm.lm.hub import Hub
    from psyllm.lm.known import Embedded
    from psyllm.lm.memory import Device

GIB = 2**30
NOT_PASSED = 1
ROW_TOKENS = 512

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Card = Annotated[
    str | None,
    typer.Option("--card", help='A card by name and GiB, as "RTX 3060 12", or cpu; else what is here.'),
]
RowTokens = Annotated[int, typer.Option("--row-tokens", min=1, help="Tokens in a row.")]
Rows = Annotated[int, typer.Option("--rows", min=1, help="Rows computed at once.")]
Name = Annotated[str, typer.Argument(help="One of the names that psyllm models lists.")]
Accept = Annotated[
    bool, typer.Option("--accept-licence", help="Say that you have read and accept the licence.")
]
Revision = Annotated[
    str, typer.Option("--revision", help="Branch, tag or commit; its commit is written down.")
]

app = typer.Typer(rich_markup_mode=None)


class Place(NamedTuple):
    """Where training would run, and the memory there."""

    name: str
    device: Device
    memory_bytes: int


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    data: Data = DATA,
    card: Card = None,
    row_tokens: RowTokens = ROW_TOKENS,
    rows: Rows = 1,
    json: Json = False,
) -> None:
    """List the known models: licence, size, memory for each way of training, and what is on this machine."""
    if hands_on(context):
        return
    from psyllm.lm.known import embedded_model, hub_folder, known_models, needs

    place = where(card)
    ours = embedded_model()
    takes = needs(ours.config, place.device, row_tokens, rows) if ours.here else {}
    found = [
        {
            **row.model_dump(exclude={"config"}),
            "here": hub_folder(data, row.name).is_dir(),
            "needs_bytes": needs(row.config, place.device, row_tokens, rows),
        }
        for row in known_models()
    ]
    local = local_models(data)
    if json:
        import orjson

        said = {
            "place": place._asdict(),
            "embedded": {**ours.model_dump(exclude={"config"}), "needs_bytes": takes},
            "known": found,
            "local": [str(path) for path in local],
        }
        typer.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(
        f"GiB to train with {rows} x {row_tokens} tokens at once; {place.name} has {place.memory_bytes / GIB:.1f}"
    )
    ways = list(found[0]["needs_bytes"])
    header = "".join(f"{way:>12}" for way in ways)
    typer.echo(f"{'':<15}{'millions':>9}  {'licence':<11}{header}")
    for line in _embedded_lines(ours, "".join(f"{_cell(way, takes[way], place):>12}" for way in takes)):
        typer.echo(line)
    for row in found:
        cells = "".join(f"{_cell(way, row['needs_bytes'][way], place):>12}" for way in ways)
        mark = "  here" if row["here"] else ""
        typer.echo(f"{row['name']:<15}{row['parameters'] / 1e6:>9,.0f}  {row['licence']:<11}{cells}{mark}")
        if row["remark"]:
            typer.echo(f"{'':<15}{row['remark']}")
    typer.echo("(a number in brackets does not fit; answer: the service's engine, in this machine's memory)")
    for path in local:
        typer.echo(f"on this machine: {path}")


@app.command("embedded")
def embedded_command() -> None:
    """Say whether the model in the package is there and has passed; exit status 0 if it has, else 1."""
    from psyllm.core import embedded

    standing = embedded.standing()
    typer.echo(f"{embedded.NAME}: {standing.reason}")
    if not standing.passed:
        raise typer.Exit(NOT_PASSED)


@app.command("fetch")
def fetch_command(
    name: Name, data: Data = DATA, accept_licence: Accept = False, revision: Revision = "main"
) -> None:
    """Fetch a known model into data/hub/NAME; the only command that talks to a model hub."""
    from psyllm.lm.hub import HuggingFace

    fetch_with(HuggingFace(), name, data, accept_licence=accept_licence, revision=revision)


def fetch_with(hub: Hub, name: str, data: Path, *, accept_licence: bool, revision: str) -> None:
    """Fetch by one hub and say where the model lies.

    Raises:
        BadSetting: there is nothing to fetch.
    """
    from psyllm.cli.show import progress_bars
    from psyllm.core import embedded
    from psyllm.core.errors import BadSetting
    from psyllm.lm.hub import fetch, read_fetched
    from psyllm.lm.known import known_model

    if name == embedded.NAME:
        message = (
            f"the model {name} ships in the package, where this version holds it: there is nothing to fetch"
        )
        raise BadSetting(message, f"psyllm train --base {name} --data {data}")
    known = known_model(name)
    with progress_bars():
        folder = fetch(known, data, accept_licence=accept_licence, revision=revision, hub=hub)
    said = read_fetched(folder)
    typer.echo(f"{folder}: {said.repository} at {said.revision}, licence {said.licence}")
    typer.echo(f"  next: psyllm train --base {name} --data {data}")


def where(card: str | None) -> Place:
    """Return the named card, or this machine's, or its processor.

    Raises:
        BadSetting: a card without its memory that `psyllm train plan` does not know by its name either.
    """
    import psutil

    from psyllm.core.errors import BadSetting
    from psyllm.lm.cards import CARDS, card_named

    if card is None:
        return _card_here() or where("cpu")
    if card == "cpu":
        return Place("the processor", "cpu", psutil.virtual_memory().total)
    match = re.fullmatch(r"(.+) (\d+(?:\.\d+)?)", card.strip())
    if match is None and card.strip().upper() in CARDS:
        known = card_named(card)
        return Place(known.name, "cuda", known.free_bytes)
    if match is None:
        message = f"--card {card!r} does not end with its memory in GiB"
        raise BadSetting(message, 'write for example --card "RTX 3060 12", or --card cpu')
    return Place(match[1], "cuda", int(float(match[2]) * GIB))


def local_models(data: Path) -> list[Path]:
    """Return the model folders below a data folder: fetched ones, then those trained here."""
    places = [*sorted(data.glob("hub/*")), *sorted(data.glob("4_models/*/model"))]
    return [path for path in places if (path / "config.json").is_file() and path.suffix != ".partial"]


def _embedded_lines(ours: Embedded, cells: str) -> list[str]:
    """Return the rows of the package's model, which is listed first."""
    if not ours.here:
        return [f"{ours.name:<15}{ours.standing}", f"{'':<15}{ours.purpose}"]
    head = f"{ours.name:<15}{ours.parameters / 1e6:>9,.0f}  {ours.licence:<11}{cells}  here"
    size = f"{ours.file_bytes / 1e6:.1f} MB; {ours.standing}"
    return [head, *(f"{'':<15}{words}" for words in (size, ours.purpose, ours.licences))]


def _cell(way: str, needed_bytes: int, place: Place) -> str:
    import psutil

    there = psutil.virtual_memory().total if way == "answer" else place.memory_bytes
    number = f"{needed_bytes / GIB:.1f}"
    return number if needed_bytes <= there else f"({number})"


def _card_here() -> Place | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    name, _, mib = result.stdout.partition("\n")[0].rpartition(", ")
    if result.returncode or not mib.strip().isdigit():
        return None
    return Place(name, "cuda", int(mib) * 2**20)
