"""An open casebook in a temporary folder, with a clock that tests can move."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from casebook_story import put_blank_casebook
from psyllm.casebook import staff
from psyllm.casebook.open import Casebook, casebook_url, open_casebook


class Clock:
    """A clock that goes only when told."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def go(self, **parts: float) -> None:
        self.moment += timedelta(**parts)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 with the least work, for it is slow on purpose."""
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    monkeypatch.setattr(staff, "_ARGON2", quick)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def book(tmp_path: Path, clock: Clock) -> AsyncIterator[Casebook]:
    put_blank_casebook(tmp_path)
    opened = await open_casebook(casebook_url(tmp_path), clock)
    yield opened
    await opened.close()
