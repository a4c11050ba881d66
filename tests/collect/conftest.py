"""A real Redis for crawls that are shared by machines."""

import shutil
from collections.abc import Iterator

import pytest

from conftest import is_missing
from frontier_stores import RedisProcess


@pytest.fixture(scope="session")
def redis_program() -> str:
    """The path of redis-server; without one these tests fail in CI and are skipped elsewhere."""
    program = shutil.which("redis-server")
    if program is None:
        is_missing("redis-server is missing; install it: apt-get install redis-server")
    return program


@pytest.fixture(scope="session")
def redis_address(redis_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisProcess(redis_program, tmp_path_factory.mktemp("redis"), "--appendonly", "yes")
    yield server.address
    server.kill()
