"""A worker is killed at a random moment: nothing is lost, nothing counts twice, nothing forbidden is asked."""

import random

import pytest

from crawl_ground import killed_crawl, served

HOSTS = [{"questions": 40}, {"questions": 40, "faults": True}, {"questions": 20, "robots": "deny"}]


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_a_killed_worker_loses_nothing_and_stores_nothing_twice(tmp_path, request, store):
    where = request.getfixturevalue("redis_address") if store == "redis" else ""
    with served(tmp_path, HOSTS) as ground:
        found = killed_crawl(ground, ground.permission(delay_s=0.02), random.Random(store), where)
    assert found.killed
    assert found.lost == []
    assert found.twice == []
    assert found.disallowed == []
    # Questions (of the second host one has moved and one is gone), lists, second pages.
    assert found.stored == 40 + 38 + 2 * 2 + 2 * 4
