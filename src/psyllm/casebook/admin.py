"""What the command line does in the casebook: staff (add, list, disable) and reviews (which are decided, erase).

No visitor's words pass here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import NamedTuple, TypeVar

from psyllm.casebook import reviews, staff
from psyllm.casebook.kinds import Role
from psyllm.casebook.open import Casebook, casebook_path, casebook_url, open_casebook
from psyllm.casebook.place import casebook_at, has_casebook
from psyllm.core.errors import BadInput
from psyllm.core.private import Private

T = TypeVar("T")


class StaffRow(NamedTuple):
    """One line of the list."""

    name: str
    role: str
    disabled: bool


def add_staff(data: Path, name: str, role: str, password: str, database: str = "") -> None:
    """Add somebody who may sign in to the desk.

    Raises:
        BadInput: the role is unknown, the name taken, or the password too short.
    """
    roles = [one.value for one in Role]
    if role not in roles:
        message = f"there is no role {role}; there are: {', '.join(roles)}"
        raise BadInput(message, "run: psyllm serve staff add NAME --role counsellor")
    _with_casebook(data, database, lambda book: staff.add(book, name, Role(role), Private(password)))


def list_staff(data: Path, database: str = "") -> list[StaffRow]:
    """Return who may sign in, and who might once."""
    found = _with_casebook(data, database, staff.everybody)
    return [StaffRow(one.name, one.role.value, one.disabled_at is not None) for one in found]


def disable_staff(data: Path, name: str, database: str = "") -> None:
    """Take somebody's access away.

    Raises:
        NotFound: nobody has this name.
    """
    _with_casebook(data, database, lambda book: staff.disable(book, name))


def decided_items(data: Path, database: str = "") -> frozenset[str]:
    """Return the names of the items on which somebody has decided.

    Raises:
        CasebookError: the casebook lies elsewhere than is set, or can't be opened.
    """
    if not has_casebook(data, database):
        return frozenset()
    return frozenset(_with_casebook(data, database, reviews.all_decisions))


def need_casebook(data: Path) -> None:
    """See that what reviewers wrote can be found, before anything is taken out.

    Raises:
        CasebookError: the casebook lies elsewhere than is known here.
    """
    has_casebook(data)


def erase_reviews(data: Path, record_ids: Collection[str], database: str = "") -> int:
    """Erase what reviewers decided about these records; return how many decisions went.

    The data folder's own file is looked into as well where the casebook lies elsewhere: it may have been the first.

    Raises:
        CasebookError: the casebook lies elsewhere, can't be opened, or readers hold what was erased.
    """
    if not record_ids:
        return 0
    places = [casebook_at(data, database)] if has_casebook(data, database) else []
    own = casebook_url(data)
    if casebook_path(data).exists() and own not in places:
        places.append(own)
    return sum(_at(place, lambda book: reviews.erase_reviews(book, record_ids)) for place in places)


def _with_casebook(data: Path, database: str, work: Callable[[Casebook], Awaitable[T]]) -> T:
    return _at(casebook_at(data, database), work)


def _at(place: str, work: Callable[[Casebook], Awaitable[T]]) -> T:
    async def whole() -> T:
        book = await open_casebook(place)
        try:
            return await work(book)
        finally:
            await book.close()

    return asyncio.run(whole())
