"""The host clock of one machine: a small SQLite file that all crawls of a data folder share.

Grants and sends of all processes come in, waiting times go out. It is a file of
its own, so that asking for a grant never queues behind a commit that waits for
the disk. It promises nothing after a power cut: then no worker lives that could
send too early. Time is the machine's.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from psyllm.collect.frontier.contract import HOLD_S
from psyllm.collect.frontier.sqlite_file import SqliteFile

APPLICATION_ID = 0x50737943
SCHEMA = """
CREATE TABLE hosts (
    name TEXT PRIMARY KEY,
    next_at REAL NOT NULL DEFAULT 0,  -- no grant before
    grants INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,  -- a grant whose hold has not been ended
    paused_until REAL
) WITHOUT ROWID;
CREATE INDEX paused ON hosts (paused_until) WHERE paused_until IS NOT NULL
"""


class SqliteHostClock:
    """A `HostClock` for the processes of one machine."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(path, SCHEMA, APPLICATION_ID)
        self._now = now
        self._grants: dict[str, int] = {}

    def grant(self, host: str, delay_s: float) -> float:
        """Return 0.0 for "send now", else the seconds to wait before asking again."""
        with self._file.reading() as connection:
            wait_s, grants = self._wait_s(connection, host, delay_s)
        if wait_s > 0 or delay_s <= 0:
            return wait_s
        with self._file.writing(durable=False) as connection:
            wait_s, grants = self._wait_s(connection, host, delay_s)
            if wait_s > 0:
                return wait_s
            connection.execute(
                "INSERT INTO hosts (name, next_at, grants, held) VALUES (?1, ?2, ?3, 1)"
                " ON CONFLICT (name) DO UPDATE SET next_at = ?2, grants = ?3, held = 1",
                (host, self._now() + HOLD_S + delay_s, grants + 1),
            )
        self._grants[host] = grants + 1
        return 0.0

    def hold(self, host: str, delay_s: float) -> None:
        """Hold the host for another `HOLD_S`, while an answer is out; a hold that was lost stays lost."""
        granted = self._grants.get(host, 0)
        if granted:
            with self._file.writing(durable=False) as connection:
                connection.execute(
                    "UPDATE hosts SET next_at = ? WHERE name = ? AND held AND grants = ?",
                    (self._now() + HOLD_S + delay_s, host, granted),
                )

    def sent(self, host: str, delay_s: float) -> None:
        """End the hold: nobody is granted this host before `delay_s` has passed."""
        granted = self._grants.pop(host, 0)
        if granted == 0 and delay_s <= 0:
            return
        with self._file.writing(durable=False) as connection:
            next_at = self._now() + delay_s
            connection.execute(
                "INSERT INTO hosts (name, next_at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET"
                " next_at = iif(held AND grants = ?3, ?2, max(next_at, ?2)), held = held AND grants <> ?3",
                (host, next_at, granted),
            )

    def pause(self, host: str, until: float) -> None:
        """Rest a host until `until`; a shorter pause than the present one changes nothing."""
        with self._file.writing(durable=False) as connection:
            connection.execute(
                "INSERT INTO hosts (name, paused_until) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET"
                " paused_until = max(coalesce(paused_until, 0), ?2)",
                (host, until),
            )

    def paused(self) -> set[str]:
        """Return the hosts on pause now."""
        with self._file.reading() as connection:
            rows = connection.execute("SELECT name FROM hosts WHERE paused_until > ?", (self._now(),))
            return {name for (name,) in rows}

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _wait_s(self, connection: sqlite3.Connection, host: str, delay_s: float) -> tuple[float, int]:
        row = connection.execute(
            "SELECT next_at, grants, held, coalesce(paused_until, 0) FROM hosts WHERE name = ?", (host,)
        ).fetchone()
        if row is None:
            return 0.0, 0
        next_at, grants, held, paused_until = row
        now = self._now()
        wait_s = max(0.0, paused_until - now)
        if delay_s > 0 and next_at > now:
            # A holder may send at any moment, so ask again after one delay.
            wait_s = max(wait_s, min(next_at - now, delay_s) if held else next_at - now)
        return wait_s, grants
