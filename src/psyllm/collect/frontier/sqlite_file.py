"""One SQLite file that several processes of one machine write: opening, transactions, errors.

A path and a schema come in; short read and write transactions go out. The file
is in WAL mode, so a `kill -9` at any moment leaves the last commit; a commit
that must also outlive a power cut says so (`durable`). The file must not lie on
a network share (sqlite.org/wal.html). It knows nothing of URLs.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from psyllm.core.errors import DiskFull, FrontierLost, MalformedInput, PsyError, UnusablePath

# Writers queue for milliseconds; a machine whose disk stalls longer than this has another problem.
BUSY_S = 30.0


class SqliteFile:
    """A connection of this process to one file; threads take turns on it."""

    def __init__(self, path: Path, schema: str, application_id: int) -> None:
        """Open the file, or make it readable by its owner only.

        Raises:
            UnusablePath: it can't be made or opened.
            MalformedInput: it is another kind of file.
        """
        self.path = path
        self._turn = threading.Lock()
        self._durable = False
        with self._told():
            _make_private(path)
            self._connection = self._connect()
            self._begin_schema(schema, application_id)

    @contextmanager
    def scanning(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection of its own, for a long read that goes on while others write."""
        with self._told(), closing(self._connect()) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for single SELECTs."""
        with self._turn, self._told():
            yield self._connection

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside one write transaction; an exception rolls it back."""
        with self._turn, self._told():
            if durable != self._durable:
                self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection; the last one to close tidies the WAL file away."""
        with self._turn:
            self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def _begin_schema(self, schema: str, application_id: int) -> None:
        connection = self._connection
        _to_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = connection.execute("PRAGMA application_id").fetchone()[0]
            empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
            if found == 0 and empty:
                for statement in schema.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={application_id}")
                found = application_id
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        if found != application_id:
            connection.close()
            raise _other_file(self.path)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.Error as error:
            raise _plain(self.path, error) from error
        except OSError as error:
            message = f"{self.path} can't be made: {error.strerror}"
            raise UnusablePath(message, "choose another folder, or mend its permissions") from error


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _to_wal(connection: sqlite3.Connection) -> None:
    # Two processes that open a new file at once: the change of mode does not wait
    # for the other's lock as all else does, it fails at once.
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _other_file(path: Path) -> MalformedInput:
    return MalformedInput(f"{path} is no frontier of a crawl", "name another file, or move this one away")


def _plain(path: Path, error: sqlite3.Error) -> PsyError:
    # Extended codes carry the plain one in their low byte (sqlite.org/rescode.html).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"no space is left for {path}", "make room, then run the same command again")
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return _other_file(path)
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}:
        return UnusablePath(
            f"{path} can't be opened for writing", "choose another file, or mend its permissions"
        )
    return FrontierLost(
        f"the frontier {path} does not answer ({getattr(error, 'sqlite_errorname', 'unknown')})",
        "see that the disk works and no other program holds the file, then run the same command again",
    )
