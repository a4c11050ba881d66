import time
import uuid

import pytest
import redis

from frontier_stores import RedisProcess, free_port
from psyllm.collect.frontier.contract import Ask, Outcome, Settled
from psyllm.collect.frontier.open import open_frontier
from psyllm.collect.frontier.redis import RedisFrontier
from psyllm.collect.frontier.redis_clock import RedisHostClock
from psyllm.collect.frontier.redis_server import RedisServer
from psyllm.core.errors import BadSetting, FrontierLost


@pytest.fixture
def own_redis(redis_program, tmp_path):
    """A function that starts a Redis with these options; all end with the test."""
    started = []

    def start(*options: str) -> RedisProcess:
        started.append(RedisProcess(redis_program, tmp_path, *options))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--appendonly", "no"), "appendonly no"),
        (("--appendonly", "yes", "--appendfsync", "no"), "appendfsync no"),
    ],
)
def test_a_redis_that_would_forget_the_crawl_is_refused_unless_told_otherwise(own_redis, options, found):
    server = own_redis(*options)
    with pytest.raises(BadSetting, match=found):
        open_frontier(server.address)
    frontier, clock = open_frontier(server.address, must_last=False)
    assert frontier.is_done()
    frontier.close()
    clock.close()


def test_a_redis_that_evicts_is_always_refused(own_redis):
    server = own_redis("--appendonly", "yes", "--maxmemory-policy", "allkeys-lru")
    with pytest.raises(BadSetting, match="allkeys-lru"):
        open_frontier(server.address, must_last=False)


def test_what_was_acknowledged_outlives_a_kill_of_redis(own_redis):
    server = own_redis("--appendonly", "yes", "--appendfsync", "always")
    frontier, clock = open_frontier(server.address)
    frontier.add([Ask(f"http://a.test/{n}") for n in range(9)])
    leases = frontier.claim("w", 4)
    frontier.settle([Settled(leases[0], Outcome.STORED, "s:0:1", "", (Ask("http://b.test/"),))])
    server.kill()
    with pytest.raises(FrontierLost, match="does not answer"):
        frontier.counts()
    server.start()
    # The scripts are gone from the server's memory as well; they are sent again.
    assert len(frontier.extend(leases)) == 3
    assert frontier.counts()["waiting"] == 6
    assert list(frontier.stored()) == [("http://a.test/0", "page", "s:0:1")]
    frontier.close()
    clock.close()


def test_a_lost_connection_tells_the_place_and_no_password():
    address = f"redis://reader:hush-hush@127.0.0.1:{free_port()}/0"
    with pytest.raises(FrontierLost) as caught:
        open_frontier(address)
    told = f"{caught.value.message} {caught.value.next_step}"
    assert "127.0.0.1" in told
    assert "hush" not in told


def test_a_wrong_password_is_told_as_such(own_redis):
    server = own_redis("--appendonly", "yes")
    redis.Redis.from_url(server.address).config_set("requirepass", "right")
    with pytest.raises(FrontierLost, match="refuses the name or password") as caught:
        open_frontier(server.address.replace("redis://", "redis://:wrong-word@"))
    assert "wrong-word" not in caught.value.message


def test_an_address_that_is_none_is_told():
    with pytest.raises(BadSetting, match="no Redis address"):
        open_frontier("redis://127.0.0.1:port/0")


def test_a_full_redis_is_told_and_a_settlement_is_all_or_nothing(own_redis):
    server = own_redis("--appendonly", "yes", "--maxmemory-policy", "noeviction")
    frontier, clock = open_frontier(server.address)
    frontier.add([Ask("http://a.test/")])
    leases = frontier.claim("w", 1)
    client = redis.Redis.from_url(server.address)
    client.config_set("maxmemory", "1")
    with pytest.raises(FrontierLost, match="no memory left"):
        frontier.settle([Settled(leases[0], Outcome.STORED, "s:0:1", "", (Ask("http://b.test/"),))])
    client.config_set("maxmemory", "0")
    client.close()
    assert frontier.counts()["leased"] == 1
    assert len(frontier.settle([Settled(leases[0], Outcome.STORED, "s:0:1")])) == 1
    frontier.close()
    clock.close()


def test_a_settlement_whose_answer_was_lost_is_answered_as_the_first_time(redis_address, monkeypatch):
    server = RedisServer(redis_address, "retried")
    clock = RedisHostClock(RedisServer(redis_address, "retried/clock"))
    frontier = RedisFrontier(server, clock)
    frontier.add([Ask("http://a.test/")])
    (lease,) = frontier.claim("w", 1)
    done = [Settled(lease, Outcome.STORED, "s:0:1")]
    first = frontier._script

    def twice(*arguments):
        first(*arguments)
        return first(*arguments)

    monkeypatch.setattr(frontier, "_script", twice)
    assert frontier.settle(done) == done
    assert frontier.settle(done) == []
    assert frontier.counts()["stored"] == 1
    frontier.close()
    clock.close()


def test_crawls_on_one_redis_share_the_clock_of_a_host(redis_address):
    one, clock = open_frontier(redis_address, crawl="first-source")
    other, other_clock = open_frontier(redis_address, crawl="second-source")
    host = f"{uuid.uuid4().hex}.test"
    assert clock.grant(host, 2) == 0
    assert other_clock.grant(host, 2) > 0
    other.add([Ask(f"http://{host}/")])
    clock.pause(host, time.time() + 60)
    assert other.claim("w", 1) == [], "a pause is every crawl's"
    for part in (one, clock, other, other_clock):
        part.close()


def test_crawls_on_one_redis_know_nothing_of_each_other(redis_address):
    one, clock = open_frontier(redis_address, crawl="first-site")
    other, other_clock = open_frontier(redis_address, crawl="second-site")
    one.add([Ask("http://a.test/")])
    one.stop("asked")
    assert other.is_done()
    assert other.stopped() == ""
    for part in (one, clock, other, other_clock):
        part.close()
