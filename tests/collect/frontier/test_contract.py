import hashlib
import itertools
import uuid

import pytest

from psyllm.collect.frontier.contract import Ask, Outcome, Settled, host_of

A, B, C = (f"http://a.test/{n}" for n in range(3))


def stored(lease, *found, where="w-1:0:9"):
    return Settled(lease, Outcome.STORED, where, "", tuple(Ask(url) for url in found))


@pytest.fixture
def opened(store, hands):
    frontier, clock = store.open_at(hands)
    yield frontier, clock
    frontier.close()
    clock.close()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Example.org/qa/1", "www.example.org"),
        ("http://127.0.0.1:8080/a", "127.0.0.1:8080"),
        ("https://example.org:443?x=1", "example.org"),
        ("http://example.org:443/", "example.org:443"),
        ("http://name:word@example.org:80/", "example.org"),
        ("http://[::1]:81/#a@b", "[::1]:81"),
    ],
)
def test_a_host_is_named_without_what_does_not_tell_hosts_apart(url, host):
    assert host_of(url) == host


def test_a_url_is_taken_in_once_and_its_first_kind_and_depth_stay(opened):
    frontier, _ = opened
    assert frontier.add([Ask(A, "question", 1), Ask(A, "page", 7), Ask(B)]) == 2
    assert frontier.add([Ask(A, "answer", 2), Ask(C)]) == 1
    assert frontier.counts()["waiting"] == 3
    assert [(lease.url, lease.kind, lease.depth) for lease in frontier.claim("w", 9)] == [
        (A, "question", 1),
        (B, "page", 0),
        (C, "page", 0),
    ]


def test_claims_go_round_the_hosts_and_take_the_oldest_of_each(opened):
    frontier, _ = opened
    urls = [f"http://{host}.test/{n}" for host in "ab" for n in range(4)] + ["http://c.test/0"]
    frontier.add([Ask(url) for url in urls])
    order = [lease.url[7] + lease.url[-1] for lease in frontier.claim("w", 6)]
    assert sorted(order[:3]) == ["a0", "b0", "c0"]
    assert sorted(order[3:5]) == ["a1", "b1"]
    assert order[5] in {"a2", "b2"}


def test_a_host_that_had_its_turn_waits_for_the_others(opened):
    frontier, _ = opened
    frontier.add([Ask(f"http://{host}.test/{n}") for host in "abc" for n in range(2)])
    hosts = [host_of(frontier.claim("w", 1)[0].url) for _ in range(6)]
    assert sorted(hosts[:3]) == sorted(hosts[3:]) == ["a.test", "b.test", "c.test"]


def test_an_expired_lease_goes_to_another_worker_and_the_old_token_cannot_settle(opened, hands):
    frontier, _ = opened
    frontier.add([Ask(A)])
    (old,) = frontier.claim("first", 1)
    assert old.until == hands.time + 60
    hands.time += 59
    assert frontier.claim("second", 1) == []
    hands.time += 2
    (new,) = frontier.claim("second", 1)
    assert (new.token, new.attempt) == (old.token + 1, 2)
    assert frontier.settle([stored(old, B, where="old")]) == []
    assert frontier.extend([old]) == []
    frontier.give_back([old])
    assert frontier.counts() == {**dict.fromkeys(Outcome, 0), "waiting": 0, "leased": 1}
    assert frontier.settle([stored(new, where="new")]) == [stored(new, where="new")]
    assert list(frontier.stored()) == [(A, "page", "new")]


def test_a_late_worker_may_still_settle_what_nobody_claimed_meanwhile(opened, hands):
    frontier, _ = opened
    frontier.add([Ask(A), Ask(B)])
    leases = frontier.claim("w", 2)
    hands.time += 100
    frontier.claim("other", 0)
    assert frontier.counts()["waiting"] == 2
    assert len(frontier.settle([stored(leases[0])])) == 1
    (kept,) = frontier.extend(leases)
    assert kept == leases[1]._replace(until=hands.time + 60)
    assert frontier.claim("other", 9) == []


def test_what_is_stored_and_leased_stays_within_the_limit_whoever_claims(store, hands):
    crawl = uuid.uuid4().hex
    (one, clock), (other, other_clock) = store.open_at(hands, crawl), store.open_at(hands, crawl)
    one.add([Ask(f"http://{host}.test/{n}") for host in "ab" for n in range(9)])
    mine = one.claim("w", 4, 5)
    theirs = other.claim("v", 4, 5)
    assert (len(mine), len(theirs)) == (4, 1)
    one.settle([stored(mine[0]), stored(mine[1]), Settled(mine[2], Outcome.NOTHING)])
    assert len(other.claim("v", 9, 5)) == 1
    one.give_back([mine[3]])
    assert len(one.claim("w", 9, 5)) == 1
    hands.time += 61
    assert len(other.claim("v", 9, 5)) == 3, "what a dead worker held is free again"
    assert other.counts()["stored"] + other.counts()["leased"] == 5
    for part in (one, clock, other, other_clock):
        part.close()


def test_a_heartbeat_keeps_a_lease(opened, hands):
    frontier, _ = opened
    frontier.add([Ask(A)])
    leases = frontier.claim("w", 1)
    for _ in range(5):
        hands.time += 50
        leases = frontier.extend(leases)
        assert leases[0].until == hands.time + 60
        assert frontier.claim("other", 1) == []


def test_what_was_settled_counts_once_and_is_never_claimed_again(opened, hands):
    frontier, _ = opened
    frontier.add([Ask(A)])
    (lease,) = frontier.claim("w", 1)
    assert len(frontier.settle([stored(lease, A), stored(lease, B)])) == 1
    assert frontier.settle([stored(lease, C)]) == []
    hands.time += 1000
    assert frontier.add([Ask(A)]) == 0
    assert frontier.claim("w", 9) == []
    assert frontier.is_done()


def test_found_links_survive_and_a_refused_settlement_brings_none(store, hands):
    crawl = uuid.uuid4().hex
    frontier, clock = store.open_at(hands, crawl)
    frontier.add([Ask(A)])
    (lease,) = frontier.claim("w", 1)
    frontier.settle([stored(lease, B, B)])
    frontier.settle([stored(lease, C)])
    frontier.close()
    clock.close()
    again, clock = store.open_at(hands, crawl)
    assert [lease.url for lease in again.claim("w", 9)] == [B]
    again.close()
    clock.close()


def test_a_url_given_back_waits_until_its_time_and_the_attempt_counts_if_it_was_one(opened, hands):
    frontier, _ = opened
    frontier.add([Ask(A)])
    leases = frontier.claim("w", 1)
    frontier.give_back(leases, not_before=hands.time + 30)
    assert frontier.claim("w", 1) == []
    assert not frontier.is_done()
    assert frontier.settle([stored(leases[0])]) == []
    hands.time += 31
    (second,) = frontier.claim("w", 1)
    assert second.attempt == 2
    frontier.give_back([second], tried=False)
    (third,) = frontier.claim("w", 1)
    assert third.attempt == 2
    assert third.token > second.token > leases[0].token


def test_a_paused_host_is_not_claimed_until_its_pause_ends(opened, hands):
    frontier, clock = opened
    frontier.add([Ask(A), Ask("http://b.test/0")])
    clock.pause("a.test", hands.time + 50)
    clock.pause("a.test", hands.time + 10)
    assert [lease.url for lease in frontier.claim("w", 9)] == ["http://b.test/0"]
    assert clock.grant("a.test", 0) == clock.grant("a.test", 1) == 50
    assert clock.grant("b.test", 0) == 0
    hands.time += 51
    assert [lease.url for lease in frontier.claim("w", 9)] == [A]
    assert clock.grant("a.test", 0) == 0


def test_each_outcome_is_counted_and_listed_in_the_order_of_urls(opened):
    frontier, _ = opened
    urls = [f"http://a.test/{n:04}" for n in range(2500)]
    frontier.add([Ask(url, "question") for url in reversed(urls)])
    leases = frontier.claim("w", 5000)
    outcomes = itertools.cycle(Outcome)
    done = [
        Settled(lease, outcome, "", "code") for lease, outcome in zip(leases[:10], outcomes, strict=False)
    ]
    frontier.settle(done)
    assert {name: frontier.counts()[name] for name in Outcome} == dict.fromkeys(Outcome, 2)
    refused = list(frontier.settled(Outcome.REFUSED))
    assert [row.detail for row in refused] == ["code", "code"]
    frontier.settle([Settled(lease, Outcome.STORED, f"s:{n}:1") for n, lease in enumerate(leases[10:])])
    pages = list(frontier.stored())
    assert len(pages) == 2492
    assert [page[0] for page in pages] == sorted(page[0] for page in pages)
    assert pages[-3][1:] == ("question", "s:0:1")


def test_all_workers_share_robots_words_and_the_kill_switch(store, hands):
    crawl = uuid.uuid4().hex
    (one, clock), (other, other_clock) = store.open_at(hands, crawl), store.open_at(hands, crawl)
    body = b"User-agent: *\nDisallow: /\xff\x00"
    sha256 = hashlib.sha256(body).hexdigest()
    assert other.get_robots("a.test") is None
    one.put_robots("a.test", b"", 503, "denied", "2026-11-25T00:00:00Z", "0")
    one.put_robots("a.test", body, 200, "read", "2026-11-25T01:00:00Z", sha256)
    assert other.get_robots("a.test") == ("a.test", body, 200, "read", "2026-11-25T01:00:00Z", sha256)
    assert [snapshot.status for snapshot in other.robots()] == [503, 200]
    assert other.stopped() == ""
    one.stop("asked by the site")
    assert other.stopped() == "asked by the site"
    one.stop("")
    assert other.stopped() == ""
    assert other.get_meta("permission") is None
    one.set_meta("permission", "p-1")
    assert other.get_meta("permission") == "p-1"
    for part in (one, clock, other, other_clock):
        part.close()
