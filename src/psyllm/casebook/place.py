"""Where the casebook of a data folder lies, so that every command opens the one that the service writes to.

A data folder and the set URL (`serve.database`, or the variable of the environment
where a command takes no settings) come in; the URL to open goes out. The service
notes the place in the data folder, without any secret, once it is not the
file that every data folder has. A command that would look elsewhere, and find an
empty casebook, is refused instead. Nothing is opened here.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from psyllm.casebook.open import casebook_path, casebook_url
from psyllm.core.errors import CasebookError
from psyllm.core.records import Frozen
from psyllm.core.stages import write_text_atomically

# The URL of a server may hold a password: secrets may come from the environment.
VARIABLE = "PSYLLM_DATABASE"


class _Noted(Frozen):
    """The place as a URL without password and query; `is_whole` says that nothing was left out."""

    place: str
    is_whole: bool


def note_path(data: Path) -> Path:
    """Return where a data folder says that its casebook lies elsewhere."""
    return casebook_path(data).parent / "place.json"


def casebook_at(data: Path, database: str = "") -> str:
    """Return the URL of a data folder's casebook: the set one, else the noted one, else its own file.

    Raises:
        CasebookError: the set one is not the noted one, the noted one needs a secret, or the note can't be read.
    """
    given = database or os.environ.get(VARIABLE, "")
    noted = _noted(data)
    if given:
        _place(given)  # or the error that says how to write one
    if noted is None:
        return casebook_url(data, given)
    if given:
        if _place(given).place != noted.place:
            message = f"the casebook of this data folder lies at {noted.place}, and another one is set"
            raise CasebookError(message, f"set that one; if it was moved, remove {note_path(data)}")
        return given
    if not noted.is_whole:
        message = (
            f"the casebook of this data folder lies at {noted.place}, and its whole URL is not known here"
        )
        raise CasebookError(message, f"put it into the environment as {VARIABLE}, then run the command again")
    return noted.place


def has_casebook(data: Path, database: str = "") -> bool:
    """Return whether there is a casebook to open; one that was noted and is gone is no empty one.

    Raises:
        CasebookError: as `casebook_at`, or the file that was noted is not there.
    """
    path = _file_of(make_url(casebook_at(data, database)))
    if path is None or path.exists():
        return True
    if _noted(data) is not None:
        message = f"the casebook of this data folder lies at {path}, and there is nothing"
        raise CasebookError(message, f"put it back; if it was moved, remove {note_path(data)}")
    return False


def note_place(data: Path, url: str) -> None:
    """Keep in the data folder where its casebook lies, when that is not its own file."""
    here = _place(url)
    if here.place == _place(casebook_url(data)).place or here == _noted(data):
        return
    path = note_path(data)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_text_atomically(path, here.model_dump_json() + "\n")


def _noted(data: Path) -> _Noted | None:
    path = note_path(data)
    try:
        return _Noted.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):  # opening tells what is wrong with the folder
        return None
    except ValidationError:
        message = f"{path} does not say where the casebook lies"
        raise CasebookError(message, "remove it and start the service once with serve.database") from None


def _place(url: str) -> _Noted:
    try:
        whole = make_url(url)
    except ArgumentError:
        message = "the set URL of the casebook is none"
        raise CasebookError(message, "write it as sqlite+aiosqlite:////folder/file or leave it out") from None
    path = _file_of(whole)
    plain = URL.create(
        whole.drivername,
        username=whole.username,
        host=whole.host,
        port=whole.port,
        database=whole.database if path is None else str(path),
    )
    return _Noted(
        place=plain.render_as_string(hide_password=False),
        is_whole=whole.password is None and not whole.query,
    )


def _file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database, None for a server's."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database).absolute()
