"""Staff: passwords as Argon2 hashes, sessions that end."""

from pathlib import Path

import pytest
from sqlalchemy import select

from casebook_story import PASSWORD
from psyllm.casebook import admin, staff
from psyllm.casebook.kinds import Role
from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Staff, StaffSession
from psyllm.core.errors import BadInput, NotFound
from psyllm.core.private import Private

pytestmark = pytest.mark.anyio


async def test_only_hashes_are_kept(book: Casebook) -> None:
    await staff.add(book, "lin", Role.COUNSELLOR, Private(PASSWORD))
    found = await staff.sign_in(book, "lin", Private(PASSWORD), 60)
    assert found is not None
    async with book.reading() as session:
        [person] = await session.scalars(select(Staff))
        hashes = [one.token_hash for one in await session.scalars(select(StaffSession))]
    assert person.password_hash.startswith("$argon2id$")
    assert found[1] not in hashes


@pytest.mark.parametrize(("name", "password"), [("lin", "wrong password"), ("nobody", PASSWORD), ("lin", "")])
async def test_what_does_not_fit_is_refused(book: Casebook, name: str, password: str) -> None:
    await staff.add(book, "lin", Role.COUNSELLOR, Private(PASSWORD))
    assert await staff.sign_in(book, name, Private(password), 60) is None


async def test_a_session_ends_by_time_by_signing_out_and_by_disabling(book: Casebook, clock) -> None:
    await staff.add(book, "lin", Role.COUNSELLOR, Private(PASSWORD))

    async def session() -> str:
        found = await staff.sign_in(book, "lin", Private(PASSWORD), 60)
        assert found is not None
        assert await staff.signed_in(book, found[1]) is not None
        return found[1]

    over = await session()
    clock.go(seconds=61)
    assert await staff.signed_in(book, over) is None
    left = await session()
    await staff.sign_out(book, left)
    assert await staff.signed_in(book, left) is None
    disabled = await session()
    await staff.disable(book, "lin")
    assert await staff.signed_in(book, disabled) is None
    assert await staff.sign_in(book, "lin", Private(PASSWORD), 60) is None


async def test_a_session_of_somebody_disabled_opens_nothing_even_if_it_was_not_ended(book: Casebook) -> None:
    await staff.add(book, "lin", Role.COUNSELLOR, Private(PASSWORD))
    found = await staff.sign_in(book, "lin", Private(PASSWORD), 60)
    assert found is not None
    async with book.writing() as session:
        (await session.get_one(Staff, found[0].id)).disabled_at = book.now()
    assert await staff.signed_in(book, found[1]) is None


async def test_somebody_disabled_can_be_added_again(book: Casebook) -> None:
    await staff.add(book, "lin", Role.COUNSELLOR, Private(PASSWORD))
    await staff.disable(book, "lin")
    await staff.add(book, "lin", Role.SUPERVISOR, Private("another password"))
    found = await staff.sign_in(book, "lin", Private("another password"), 60)
    assert found is not None
    assert found[0].role is Role.SUPERVISOR


def test_the_commands_add_list_and_disable(tmp_path: Path) -> None:
    admin.add_staff(tmp_path, "lin", "counsellor", PASSWORD)
    admin.add_staff(tmp_path, "wang", "supervisor", PASSWORD)
    admin.disable_staff(tmp_path, "lin")
    rows = [(row.name, row.role, row.disabled) for row in admin.list_staff(tmp_path)]
    assert rows == [("lin", "counsellor", True), ("wang", "supervisor", False)]


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="counsellor, supervisor"):
        admin.add_staff(tmp_path, "lin", "king", PASSWORD)
    with pytest.raises(BadInput, match="expected 10"):
        admin.add_staff(tmp_path, "lin", "counsellor", "short")
    with pytest.raises(BadInput, match="1 to 64"):
        admin.add_staff(tmp_path, " ", "counsellor", PASSWORD)
    admin.add_staff(tmp_path, "lin", "counsellor", PASSWORD)
    with pytest.raises(BadInput, match="already"):
        admin.add_staff(tmp_path, "lin", "counsellor", PASSWORD)
    with pytest.raises(NotFound, match="nobody"):
        admin.disable_staff(tmp_path, "wang")
