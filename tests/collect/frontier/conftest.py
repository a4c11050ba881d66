"""One contract, two stores: each test that takes `store` runs on SQLite and on a real Redis."""

from pathlib import Path

import pytest

from frontier_stores import Hands, Store


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "redis":
        return Store("redis", request.getfixturevalue("redis_address"))
    return Store("sqlite", str(tmp_path))


@pytest.fixture
def hands() -> Hands:
    return Hands()
