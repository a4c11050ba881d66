"""What one write transaction does to the URLs of a SQLite frontier.

An open transaction comes in; rows change, and with them the counts by state and
by host, which are written once at the end. Oldest means lowest row number, so
an index on (host) of the waiting rows alone finds the oldest without sorting,
whether a hundred or a million wait.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import Sequence

from psyllm.collect.frontier.contract import Ask, Lease, Outcome, Settled, host_of

WAITING, LATER, LEASED = 0, 1, 2
STATES = {outcome: number for number, outcome in enumerate(Outcome, start=3)}
SCHEMA = """
CREATE TABLE hosts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    waiting INTEGER NOT NULL DEFAULT 0,
    turn INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE urls (
    id INTEGER PRIMARY KEY,  -- the order of arrival
    digest INTEGER NOT NULL,
    host INTEGER NOT NULL REFERENCES hosts (id),
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    depth INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    until REAL,  -- a lease's end, or the time before which a URL given back is not due
    worker TEXT,
    place TEXT,
    detail TEXT
);
CREATE TABLE tallies (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE words (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE robots (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    body BLOB NOT NULL,
    status INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    sha256 TEXT NOT NULL
);
CREATE INDEX url_digests ON urls (digest);
CREATE INDEX waiting_urls ON urls (host) WHERE state = 0;
CREATE INDEX due_urls ON urls (until) WHERE until IS NOT NULL;
CREATE INDEX turns ON hosts (turn) WHERE waiting > 0;
CREATE INDEX robots_hosts ON robots (host)
"""
FIND = "SELECT id, host, state, token FROM urls WHERE digest = ? AND url = ?"
DUE = "SELECT id, host, state FROM urls WHERE until <= ?"
IN_TURN = "SELECT id, name, waiting FROM hosts WHERE waiting > 0 ORDER BY turn, id"
OLDEST = (
    "SELECT id, url, kind, depth, token, attempt FROM urls WHERE host = ? AND state = 0 ORDER BY id LIMIT ?"
)


class UrlChange:
    """What one write transaction does to URLs, and the counts that change with it."""

    def __init__(self, connection: sqlite3.Connection, host_ids: dict[str, int]) -> None:
        self._connection = connection
        self._host_ids = host_ids
        self._states: Counter[int] = Counter()
        self._hosts: Counter[int] = Counter()

    def take_in(self, asks: Sequence[Ask]) -> int:
        """Add URLs that are new and return how many were."""
        rows = []
        unique: dict[str, Ask] = {}
        for ask in asks:
            unique.setdefault(ask.url, ask)
        for ask in unique.values():
            digest = _digest(ask.url)
            if self._connection.execute(FIND, (digest, ask.url)).fetchone() is None:
                host = self._host_id(host_of(ask.url))
                rows.append((digest, host, ask.url, ask.kind, ask.depth))
                self._hosts[host] += 1
        self._states[WAITING] += len(rows)
        self._connection.executemany(
            "INSERT INTO urls (digest, host, url, kind, depth) VALUES (?, ?, ?, ?, ?)", rows
        )
        return len(rows)

    def release_due(self, now: float) -> None:
        """Let URLs wait again whose lease or pause has run out."""
        due = self._connection.execute(DUE, (now,)).fetchall()
        for _, host, state in due:
            self._move(host, state, WAITING)
        if due:
            self._connection.execute("UPDATE urls SET state = 0, until = NULL WHERE until <= ?", (now,))

    def stored_or_leased(self) -> int:
        """Return how many URLs are stored or leased now, with what this transaction has changed."""
        states = (LEASED, STATES[Outcome.STORED])
        rows = self._connection.execute(
            "SELECT sum(n) FROM tallies WHERE name IN (?, ?)", tuple(str(state) for state in states)
        )
        return int(rows.fetchone()[0] or 0) + sum(self._states[state] for state in states)

    def hosts_in_turn(self, most: int, paused: set[str]) -> list[tuple[int, int]]:
        """Return (id, how many wait) of up to `most` hosts, the one longest without a turn first."""
        self._write_hosts()
        rows = self._connection.execute(IN_TURN)
        free = ((number, waiting) for number, name, waiting in rows if name not in paused)
        return list(itertools.islice(free, most))

    def lease(self, hosts: list[tuple[int, int]], most: int, worker: str, until: float) -> list[Lease]:
        """Lease the oldest URLs of these hosts in equal shares and put the hosts at the end of the line."""
        shares = fair_shares([waiting for _, waiting in hosts], most)
        taken = []
        for (host, _), share in zip(hosts, shares, strict=True):
            rows = self._connection.execute(OLDEST, (host, share)).fetchall()
            taken.append(rows)
            self._hosts[host] -= len(rows)
        # One from each host in turn, so that a worker who goes through its leases in order spreads its requests.
        rows = [
            row for row in itertools.chain.from_iterable(itertools.zip_longest(*taken)) if row is not None
        ]
        self._connection.executemany(
            "UPDATE urls SET state = 2, token = token + 1, attempt = attempt + 1, until = ?, worker = ?"
            " WHERE id = ?",
            [(until, worker, row[0]) for row in rows],
        )
        self._states[WAITING] -= len(rows)
        self._states[LEASED] += len(rows)
        self._give_turns([host for host, _ in hosts])
        return [
            Lease(url, kind, depth, token + 1, attempt + 1, until)
            for _, url, kind, depth, token, attempt in rows
        ]

    def lengthen(self, lease: Lease, until: float) -> bool:
        """Set a lease's new end, if it is still the newest."""
        row = self._open_row(lease)
        if row is None:
            return False
        number, host, state = row
        self._connection.execute("UPDATE urls SET state = 2, until = ? WHERE id = ?", (until, number))
        self._move(host, state, LEASED)
        return True

    def end(self, item: Settled) -> bool:
        """Write a lease's outcome, if it is still the newest."""
        row = self._open_row(item.lease)
        if row is None:
            return False
        number, host, state = row
        ended = STATES[item.outcome]
        self._connection.execute(
            "UPDATE urls SET state = ?, until = NULL, place = ?, detail = ? WHERE id = ?",
            (ended, item.where, item.detail, number),
        )
        self._move(host, state, ended)
        return True

    def return_one(self, lease: Lease, later: float | None, *, tried: bool) -> None:
        """End a lease without an outcome; its URL waits, until `later` if given."""
        row = self._open_row(lease)
        if row is None:
            return
        number, host, state = row
        back = WAITING if later is None else LATER
        self._connection.execute(
            "UPDATE urls SET state = ?, token = token + 1, attempt = attempt - ?, until = ? WHERE id = ?",
            (back, 0 if tried else 1, later, number),
        )
        self._move(host, state, back)

    def write_tallies(self) -> None:
        """Write the counts; the last thing in a transaction."""
        self._write_hosts()
        self._connection.executemany(
            "INSERT INTO tallies VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET n = n + ?2",
            [(str(state), n) for state, n in self._states.items() if n],
        )

    def _open_row(self, lease: Lease) -> tuple[int, int, int] | None:
        row = self._connection.execute(FIND, (_digest(lease.url), lease.url)).fetchone()
        if row is None or row[3] != lease.token or row[2] > LEASED:
            return None
        return int(row[0]), int(row[1]), int(row[2])

    def _move(self, host: int, before: int, after: int) -> None:
        self._states[before] -= 1
        self._states[after] += 1
        self._hosts[host] += (after == WAITING) - (before == WAITING)

    def _write_hosts(self) -> None:
        self._connection.executemany(
            "UPDATE hosts SET waiting = waiting + ? WHERE id = ?",
            [(n, host) for host, n in self._hosts.items() if n],
        )
        self._hosts.clear()

    def _give_turns(self, hosts: list[int]) -> None:
        turn = self._last_turn()
        self._connection.executemany(
            "UPDATE hosts SET turn = ? WHERE id = ?",
            [(turn + i, host) for i, host in enumerate(hosts, start=1)],
        )
        self._connection.execute("INSERT OR REPLACE INTO tallies VALUES ('turn', ?)", (turn + len(hosts),))

    def _last_turn(self) -> int:
        row = self._connection.execute("SELECT n FROM tallies WHERE name = 'turn'").fetchone()
        return 0 if row is None else int(row[0])

    def _host_id(self, name: str) -> int:
        known = self._host_ids.get(name)
        if known is not None:
            return known
        row = self._connection.execute("SELECT id FROM hosts WHERE name = ?", (name,)).fetchone()
        if row is None:
            # A new host stands at the end of the line, not before all who wait already.
            row = self._connection.execute(
                "INSERT INTO hosts (name, turn) VALUES (?, ?) RETURNING id", (name, self._last_turn())
            ).fetchone()
        number = int(row[0])
        self._host_ids[name] = number
        return number


def fair_shares(waiting: Sequence[int], most: int) -> list[int]:
    """Return how many to take of each so that all get alike, nobody more than waits; early ones get the rest."""
    shares = [0] * len(waiting)
    left = min(most, sum(waiting))
    while left:
        hungry = [place for place, count in enumerate(waiting) if shares[place] < count]
        each = max(1, left // len(hungry))
        for place in hungry:
            more = min(each, waiting[place] - shares[place], left)
            shares[place] += more
            left -= more
    return shares


def _digest(url: str) -> int:
    return int.from_bytes(hashlib.blake2b(url.encode(), digest_size=8).digest(), "big", signed=True)
