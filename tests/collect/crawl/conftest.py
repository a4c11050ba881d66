"""A Redis of our own for crawls that are shared by machines."""

import shutil
from collections.abc import Iterator

import pytest

from conftest import IN_CI
from frontier_stores import RedisProcess


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a redis-server; without the program these tests fail in CI and are skipped elsewhere."""
    program = shutil.which("redis-server")
    if program is None:
        message = "redis-server is missing; install it: apt-get install redis-server"
        pytest.fail(message) if IN_CI else pytest.skip(message)
    server = RedisProcess(program, tmp_path_factory.mktemp("redis"), "--appendonly", "yes")
    yield server.address
    server.kill()
