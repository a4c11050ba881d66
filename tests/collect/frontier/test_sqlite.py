import os
import sqlite3
import stat
import time

import pytest

from psyllm.collect.frontier.contract import Ask, Outcome, Settled
from psyllm.collect.frontier.open import open_frontier
from psyllm.collect.frontier.sqlite_urls import DUE, FIND, IN_TURN, OLDEST, fair_shares
from psyllm.core.errors import FrontierLost, MalformedInput, UnusablePath


@pytest.fixture
def frontier(tmp_path):
    opened, clock = open_frontier(str(tmp_path / "crawl.db"))
    yield opened
    opened.close()
    clock.close()


def plan(path, query, values):
    connection = sqlite3.connect(path)
    rows = connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
    connection.close()
    return " / ".join(row[3] for row in rows)


@pytest.mark.parametrize(
    ("query", "values", "index"),
    [
        (FIND, (1, "u"), "url_digests"),
        (OLDEST, (1, 9), "waiting_urls"),
        (DUE, (1.0,), "due_urls"),
        (IN_TURN, (), "turns"),
    ],
)
def test_every_query_of_a_claim_takes_its_index_and_sorts_nothing(frontier, tmp_path, query, values, index):
    steps = plan(tmp_path / "crawl.db", query, values)
    assert f"INDEX {index}" in steps
    assert "TEMP B-TREE" not in steps


def test_a_claim_costs_the_same_when_many_more_wait(frontier):
    def claim_s() -> float:
        before = time.process_time()
        leases = frontier.claim("w", 64)
        cost_s = time.process_time() - before
        frontier.settle([Settled(lease, Outcome.NOTHING) for lease in leases])
        return cost_s

    frontier.add([Ask(f"http://{n % 3}.test/{n}") for n in range(2_000)])
    few = min(claim_s() for _ in range(9))
    frontier.add([Ask(f"http://{n % 3}.test/{n}") for n in range(2_000, 100_000)])
    many = min(claim_s() for _ in range(9))
    assert many < 5 * few, "fifty times as many wait"


def test_shares_are_fair():
    assert fair_shares([10, 1, 10], 6) == [3, 1, 2]
    assert fair_shares([1, 2], 9) == [1, 2]
    assert fair_shares([], 5) == []
    assert fair_shares([4, 4, 4], 2) == [1, 1, 0]


def test_the_running_counts_are_the_true_ones(frontier, tmp_path):
    frontier.add([Ask(f"http://{n % 3}.test/{n}") for n in range(50)])
    leases = frontier.claim("w", 20)
    frontier.settle([Settled(lease, Outcome.STORED) for lease in leases[:5]])
    frontier.give_back(leases[5:9])
    frontier.give_back(leases[9:12], not_before=time.time() + 99)
    connection = sqlite3.connect(tmp_path / "crawl.db")
    states = dict(connection.execute("SELECT state, count(*) FROM urls GROUP BY state").fetchall())
    hosts = connection.execute(
        "SELECT sum(waiting), (SELECT count(*) FROM urls WHERE state = 0) FROM hosts"
    ).fetchone()
    connection.close()
    counts = frontier.counts()
    assert (counts["waiting"], counts["leased"], counts["stored"]) == (states[0] + states[1], states[2], 5)
    assert hosts[0] == hosts[1]


def test_a_settlement_is_on_the_disk_before_it_is_acknowledged(frontier):
    connection = frontier._file._connection
    frontier.add([Ask("http://a.test/")])
    leases = frontier.claim("w", 1)
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    frontier.settle([Settled(leases[0], Outcome.NOTHING)])
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_failure_in_the_middle_leaves_nothing_half_done(frontier):
    frontier.add([Ask("http://a.test/")])
    (lease,) = frontier.claim("w", 1)
    broken = Ask("http://new.test/", kind=object())
    with pytest.raises(sqlite3.ProgrammingError):
        frontier.settle([Settled(lease, Outcome.STORED, "s:0:1", "", (Ask("http://new.test/x"), broken))])
    assert frontier.counts()["leased"] == 1
    assert frontier.add([Ask("http://new.test/y")]) == 1
    assert [lease.url for lease in frontier.claim("w", 9)] == ["http://new.test/y"]


def test_the_files_are_for_their_owner_only(frontier, tmp_path):
    frontier.add([Ask("http://a.test/")])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert {"crawl.db", "crawl.db-wal", "crawl.db-clock"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_another_kind_of_file_is_refused_and_left_as_it_is(tmp_path):
    text, database = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("these are notes and no database" * 100)
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE things (name TEXT)")
    connection.close()
    for path in (text, database):
        with pytest.raises(MalformedInput, match="no frontier"):
            open_frontier(str(path))
    assert text.read_text().startswith("these are notes")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusablePath, match="can't be made"):
        open_frontier(str(tmp_path / "file" / "crawl.db"))


def test_a_file_that_another_program_holds_is_told(frontier, tmp_path):
    frontier._file._connection.execute("PRAGMA busy_timeout=50")
    holder = sqlite3.connect(tmp_path / "crawl.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(FrontierLost, match="does not answer"):
        frontier.add([Ask("http://a.test/")])
    holder.execute("ROLLBACK")
    holder.close()
    assert frontier.add([Ask("http://a.test/")]) == 1


def test_urls_of_one_digest_are_still_two(frontier, monkeypatch):
    monkeypatch.setattr("psyllm.collect.frontier.sqlite_urls._digest", lambda _url: 7)
    assert frontier.add([Ask("http://a.test/1"), Ask("http://a.test/2")]) == 2
    assert frontier.add([Ask("http://a.test/2")]) == 0
    leases = frontier.claim("w", 9)
    assert frontier.settle([Settled(leases[1], Outcome.STORED, os.sep)])
    assert [url for url, _, _ in frontier.stored()] == ["http://a.test/2"]
