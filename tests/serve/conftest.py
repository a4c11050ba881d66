"""A house with scripted parts for every test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from casebook_story import put_blank_casebook
from psyllm.casebook import staff
from serve_house import House, open_house


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 with the least work, for it is slow on purpose."""
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    monkeypatch.setattr(staff, "_ARGON2", quick)


@pytest.fixture(autouse=True)
def blank_casebook(tmp_path: Path) -> None:
    """An empty casebook in the test's folder."""
    put_blank_casebook(tmp_path)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened
