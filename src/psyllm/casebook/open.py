"""Opening the casebook: file, modes, pragmas, migrations, one writer.

A database URL comes in; out come two kinds of sessions. `reading()` sees one
snapshot and can't write; `writing()` is one transaction that holds the only
writer's place (BEGIN IMMEDIATE) and is committed, synced to the disk, when the
block ends. SQLite is what is tested; the same code opens PostgreSQL.
No query lives here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from psyllm.core.errors import CasebookError, DiskFull

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 5000  # how long another process (the staff commands) may hold the writer's place
READERS = 4
# These log statements with their parameters, that is, with a person's words.
TALKATIVE = (
    "aiosqlite",
    "sqlalchemy.engine",
    "sqlalchemy.engine.Engine",
    "sqlalchemy.pool",
    "sqlalchemy.orm",
)

Clock = Callable[[], datetime]


class _Cursor(Protocol):
    def execute(self, _statement: str) -> object: ...

    def close(self) -> None: ...


class _DriverConnection(Protocol):
    isolation_level: str | None

    def cursor(self) -> _Cursor: ...


def casebook_path(data: Path) -> Path:
    """Return where the casebook of a data folder lies."""
    return data / "casebook" / "casebook.sqlite3"


def casebook_url(data: Path, database: str = "") -> str:
    """Return the set URL, or that of the SQLite file of a data folder."""
    return database or f"sqlite+aiosqlite:///{casebook_path(data).absolute()}"


class Casebook:
    """An open casebook: `reading()`, `writing()`, `forget()` and `close()`."""

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._reading = async_sessionmaker(reader, expire_on_commit=False)
        self._writing = async_sessionmaker(writer, expire_on_commit=False)
        self._place = asyncio.Lock()

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return self._clock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Give a session that sees one snapshot and can't write."""
        async with self._reading() as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are committed together when the block ends without an error.

        Raises:
            DiskFull: there is no space for them; nothing of the block is kept.
            CasebookError: another process held the writer's place, or the disk failed.
        """
        try:
            async with self._place, self._writing() as session, session.begin():
                yield session
        except OperationalError as error:
            raise _explained(error) from error

    async def forget(self) -> None:
        """Move the write-ahead log into the database and cut it to nothing, so that deleted rows are gone.

        Raises:
            CasebookError: readers held the log all the time.
        """
        path = self._writer.url.database
        if self._writer.dialect.name != "sqlite" or path is None:
            return
        async with self._place:
            busy = await asyncio.to_thread(_cut_log, path)
        if not busy:
            return
        message = "the erased rows still stand in the write-ahead log, for readers hold it"
        raise CasebookError(message, "stop the service and start it again: it cuts the log at the start")

    async def close(self) -> None:
        """Close all connections."""
        await self._reader.dispose()
        await self._writer.dispose()


async def open_casebook(url: str, clock: Clock | None = None) -> Casebook:
    """Open a casebook, making or migrating its tables first.

    Raises:
        CasebookError: the file can't be made, or is no casebook.
    """
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(_is_warning)
    if make_url(url).get_backend_name() == "sqlite":
        _make_private(make_url(url).database)
        writer = _sqlite(url, size=1, begin="BEGIN IMMEDIATE", query_only=False)
        reader = _sqlite(url, size=READERS, begin="BEGIN", query_only=True)
    else:
        writer = reader = create_async_engine(url, hide_parameters=True)
    book = Casebook(reader, writer, clock or _utc_now)
    try:
        async with writer.begin() as connection:
            await connection.run_sync(_migrate)
    except BaseException:
        await book.close()
        raise
    return book


def migrations(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration of the packaged migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    command.upgrade(migrations(connection), "head")


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _explained(error: OperationalError) -> Exception:
    found = str(error.orig)
    if "disk is full" in found:
        message = "no space is left for the casebook; nothing was kept of what was just written"
        return DiskFull(message, "free some space; the help lines answer without this service")
    if "locked" in found or "disk I/O" in found or "readonly" in found:
        message = f"the casebook can't be written to: {found}"
        return CasebookError(message, "see that no other program holds it, then try again")
    return error


def _cut_log(path: str) -> bool:
    """Cut the write-ahead log; return whether readers hindered it for `BUSY_MS`."""
    with closing(sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)) as connection:
        return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _make_private(database: str | None) -> None:
    if not database or database == ":memory:":
        message = "a casebook in memory would forget every case"
        raise CasebookError(message, "set serve.database to a file or a server, or leave it empty")
    path = Path(database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        # SQLite gives its -wal and -shm the mode of the database file.
        path.chmod(0o600)
        if path.parent.name == "casebook":
            path.parent.chmod(0o700)
    except OSError as error:
        message = f"the casebook {path} can't be made or opened: {error.strerror}"
        raise CasebookError(message, "name a folder that you may write to with --data") from error


def _sqlite(url: str, *, size: int, begin: str, query_only: bool) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True, pool_size=size, max_overflow=0)

    def on_connect(connection: _DriverConnection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",  # NORMAL may lose the last commits on power loss
            "foreign_keys = ON",
            "secure_delete = ON",
            "trusted_schema = OFF",
            "temp_store = MEMORY",
            f"query_only = {'ON' if query_only else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine
