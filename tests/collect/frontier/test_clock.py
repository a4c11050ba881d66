"""The host clock by moved hands; three real processes are in test_processes."""

import uuid

import pytest

from psyllm.collect.frontier.contract import HOLD_S


@pytest.fixture
def clocks(store, hands):
    crawl = uuid.uuid4().hex
    opened = [store.open_at(hands, crawl) for _ in range(2)]
    yield [clock for _, clock in opened]
    for frontier, clock in opened:
        frontier.close()
        clock.close()


def test_the_delay_counts_from_the_send_and_not_from_the_grant(clocks, hands):
    mine, others = clocks
    assert mine.grant("a.test", 2) == 0
    assert others.grant("a.test", 2) == 2
    hands.time += 3
    assert others.grant("a.test", 2) > 0, "held: the first worker has not sent yet"
    mine.sent("a.test", 2)
    assert others.grant("a.test", 2) == 2
    hands.time += 1.5
    assert others.grant("a.test", 2) == 0.5
    hands.time += 0.5
    assert others.grant("a.test", 2) == 0


def test_hosts_do_not_wait_for_one_another(clocks):
    mine, others = clocks
    assert mine.grant("a.test", 2) == 0
    assert others.grant("b.test", 2) == 0


def test_a_holder_that_died_frees_the_host_but_no_sooner_than_its_last_send_allows(clocks, hands):
    mine, others = clocks
    assert mine.grant("a.test", 2) == 0
    hands.time += HOLD_S + 1
    assert others.grant("a.test", 2) == 1
    hands.time += 1
    assert others.grant("a.test", 2) == 0


def test_a_renewed_hold_lasts_as_long_as_the_answer_is_out(clocks, hands):
    mine, others = clocks
    mine.grant("a.test", 2)
    for _ in range(5):
        hands.time += HOLD_S - 1
        mine.hold("a.test", 2)
        assert others.grant("a.test", 2) == 2
    mine.sent("a.test", 2)
    hands.time += 2
    assert others.grant("a.test", 2) == 0
    hands.time += HOLD_S + 1
    others.hold("a.test", 2)
    mine.hold("a.test", 2)
    hands.time += HOLD_S + 2
    assert mine.grant("a.test", 2) == 0, "a holder that died after its last word frees the host"
    others.hold("a.test", 9)
    mine.sent("a.test", 0)
    assert others.grant("a.test", 2) == 0, "a hold that was lost is not renewed"


def test_a_send_after_the_hold_ran_out_does_not_shorten_another_holders_hold(clocks, hands):
    mine, others = clocks
    mine.grant("a.test", 2)
    hands.time += HOLD_S + 2
    assert others.grant("a.test", 2) == 0
    mine.sent("a.test", 2)
    hands.time += 2
    assert mine.grant("a.test", 2) > 0
    others.sent("a.test", 2)
    assert mine.grant("a.test", 2) == 2


def test_without_a_delay_nothing_is_held(clocks):
    mine, others = clocks
    for clock in (mine, others, mine):
        assert clock.grant("a.test", 0) == 0
        clock.sent("a.test", 0)
