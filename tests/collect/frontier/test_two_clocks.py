"""A crawl on Redis and one on files, of one machine, never ask a host nearer than the delay."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from frontier_stores import Hands
from psyllm.collect.frontier.contract import HOLD_S, HostClock
from psyllm.collect.frontier.open import open_frontier
from psyllm.collect.frontier.redis_clock import RedisHostClock
from psyllm.collect.frontier.redis_server import RedisServer
from psyllm.collect.frontier.sqlite_clock import SqliteHostClock
from psyllm.collect.frontier.two_clocks import TwoHostClocks

Clocks = tuple[HostClock, HostClock, HostClock]


@pytest.fixture
def clocks(redis_address: str, tmp_path: Path, hands: Hands) -> Iterator[Clocks]:
    """The clocks of a crawl on Redis, of one on files beside it, and of one on the same Redis elsewhere."""

    def on_redis() -> RedisHostClock:
        return RedisHostClock(RedisServer(redis_address, f"{tmp_path.name}/clock", hands), hands)

    path = tmp_path / "clock.sqlite3"
    opened = (
        TwoHostClocks(on_redis(), SqliteHostClock(path, hands)),
        SqliteHostClock(path, hands),
        on_redis(),
    )
    yield opened
    for clock in opened:
        clock.close()


def test_a_crawl_on_files_waits_for_the_one_on_redis(clocks: Clocks, hands: Hands) -> None:
    both, here, elsewhere = clocks
    assert both.grant("a.test", 1) == 0
    assert here.grant("a.test", 1) == 1
    hands.time += HOLD_S - 1
    both.hold("a.test", 1)
    hands.time += 2
    assert here.grant("a.test", 1) == 1, "still held: the answer is out"
    assert elsewhere.grant("a.test", 1) == 1
    both.sent("a.test", 1)
    hands.time += 0.5
    assert here.grant("a.test", 1) == 0.5
    hands.time += 0.5
    assert here.grant("a.test", 1) == 0


def test_a_crawl_on_redis_waits_for_the_one_on_files_and_keeps_nobody_else_from_the_host(
    clocks: Clocks, hands: Hands
) -> None:
    both, here, elsewhere = clocks
    assert here.grant("a.test", 1) == 0
    assert both.grant("a.test", 1) == 1
    assert elsewhere.grant("a.test", 1) == 0, "what was not used is given back"
    elsewhere.sent("a.test", 1)
    here.sent("a.test", 1)
    hands.time += 1
    assert both.grant("a.test", 1) == 0


def test_a_pause_holds_for_both(clocks: Clocks, hands: Hands) -> None:
    both, here, elsewhere = clocks
    both.pause("a.test", hands.time + 60)
    assert here.grant("a.test", 0) == elsewhere.grant("a.test", 0) == both.grant("a.test", 0) == 60
    here.pause("b.test", hands.time + 60)
    assert both.grant("b.test", 0) == 60


def test_two_crawls_of_a_data_folder_share_its_clock_though_one_is_on_redis(
    redis_address: str, tmp_path: Path
) -> None:
    clock = tmp_path / "clock.sqlite3"
    places = (redis_address, str(tmp_path / "frontier.sqlite3"))
    opened = [open_frontier(where, crawl=tmp_path.name, clock=clock) for where in places]
    on_redis, on_files = (clock for _, clock in opened)
    host = f"{tmp_path.name}.test"  # the clock of a Redis is that of all its tests
    assert on_redis.grant(host, 1) == 0
    assert on_files.grant(host, 1) > 0
    on_redis.sent(host, 1)
    assert 0 < on_files.grant(host, 1) <= 1
    for frontier, clock_of_it in opened:
        frontier.close()
        clock_of_it.close()
