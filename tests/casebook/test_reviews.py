"""Two blind decisions, a third where they differ, changing, putting aside, erasing."""

from pathlib import Path

import pytest
from sqlalchemy import select

from casebook_story import ask, hire
from psyllm.casebook import reviews
from psyllm.casebook.consented import record_id
from psyllm.casebook.erase import erase_visitor
from psyllm.casebook.kinds import ReviewReason, ReviewState, ReviewVerdict, Role
from psyllm.casebook.open import Casebook, casebook_path
from psyllm.casebook.reviews import Judged, Reviewed
from psyllm.casebook.tables import Audit
from psyllm.core.errors import NotAllowed, WrongState
from psyllm.core.private import Private

pytestmark = pytest.mark.anyio

WHAT = Reviewed("talks:1", "a" * 64)
OTHER = Reviewed("talks:2", "b" * 64, "little_chinese")
ACCEPT = Judged(ReviewVerdict.ACCEPT)
REJECT = Judged(ReviewVerdict.REJECT, ReviewReason.HARMFUL)


def edit(text: str) -> Judged:
    return Judged(ReviewVerdict.EDIT, edited=Private(text))


async def state(book: Casebook) -> ReviewState:
    return reviews.state_of(await reviews.decisions_on(book, WHAT.item))


async def test_two_equal_decisions_settle_an_item(book: Casebook) -> None:
    lin, wang, chen = [await hire(book, name) for name in ("lin", "wang", "chen")]
    assert await state(book) is ReviewState.OPEN
    await reviews.decide(book, lin, WHAT, REJECT)
    assert await state(book) is ReviewState.OPEN
    await reviews.decide(book, wang, WHAT, REJECT)
    assert await state(book) is ReviewState.SETTLED
    stands = reviews.settling(await reviews.decisions_on(book, WHAT.item))
    assert stands is not None
    assert (stands.verdict, stands.record_id, stands.place) == (ReviewVerdict.REJECT, "talks:1", 1)
    with pytest.raises(WrongState):
        await reviews.decide(book, chen, WHAT, ACCEPT)


async def test_an_own_decision_can_be_changed_until_the_second_is_in(book: Casebook) -> None:
    lin, wang = await hire(book, "lin"), await hire(book, "wang")
    await reviews.decide(book, lin, WHAT, edit("{}"))
    await reviews.decide(book, lin, WHAT, REJECT)
    [only] = await reviews.decisions_on(book, WHAT.item)
    assert (only.verdict, only.edited) == (ReviewVerdict.REJECT, None)
    await reviews.decide(book, wang, WHAT, ACCEPT)
    with pytest.raises(WrongState):
        await reviews.decide(book, lin, WHAT, ACCEPT)


async def test_where_two_differ_a_supervisor_who_is_neither_decides(book: Casebook) -> None:
    lin, wang, chen = [await hire(book, name) for name in ("lin", "wang", "chen")]
    boss = await hire(book, "boss", Role.SUPERVISOR)
    await reviews.decide(book, lin, WHAT, REJECT)
    await reviews.decide(book, wang, WHAT, ACCEPT)
    assert await state(book) is ReviewState.DISPUTED
    assert reviews.settling(await reviews.decisions_on(book, WHAT.item)) is None
    with pytest.raises(NotAllowed):
        await reviews.decide(book, chen, WHAT, ACCEPT)
    await reviews.decide(book, boss, WHAT, ACCEPT)
    stands = reviews.settling(await reviews.decisions_on(book, WHAT.item))
    assert stands is not None
    assert (stands.verdict, stands.place) == (ReviewVerdict.ACCEPT, 3)
    with pytest.raises(WrongState):
        await reviews.decide(book, boss, WHAT, REJECT)


async def test_two_different_edits_are_a_difference(book: Casebook) -> None:
    lin, wang = await hire(book, "lin"), await hire(book, "wang")
    await reviews.decide(book, lin, WHAT, edit('{"text":"一"}'))
    await reviews.decide(book, wang, WHAT, edit('{"text":"二"}'))
    assert await state(book) is ReviewState.DISPUTED


async def test_what_waits_is_in_order_without_own_skipped_and_full_items(book: Casebook, clock) -> None:
    lin, wang = await hire(book, "lin"), await hire(book, "wang")
    boss = await hire(book, "boss", Role.SUPERVISOR)
    items = [WHAT.item, OTHER.item]

    async def waiting(person) -> list[str]:
        known = await reviews.all_decisions(book)
        return reviews.waiting_for(person, items, known, await reviews.skipped_today(book, person))

    assert await waiting(lin) == items
    await reviews.decide(book, lin, OTHER, REJECT)
    await reviews.skip(book, wang, WHAT)
    assert await waiting(lin) == [WHAT.item]
    assert await waiting(wang) == [OTHER.item]
    await reviews.decide(book, wang, OTHER, ACCEPT)
    assert await waiting(boss) == [OTHER.item, WHAT.item]
    assert await waiting(await hire(book, "chen")) == [WHAT.item]
    clock.go(hours=13)
    assert await waiting(wang) == [WHAT.item]


async def test_decisions_are_in_the_audit_without_words(book: Casebook) -> None:
    lin = await hire(book, "lin")
    await reviews.decide(
        book, lin, WHAT, Judged(ReviewVerdict.EDIT, None, Private("笔记"), Private("改过的话"))
    )
    async with book.reading() as session:
        [row] = await session.scalars(select(Audit))
    assert (row.who, row.what, row.which) == ("lin", "reviewed: edit", WHAT.item)


async def test_erasing_takes_the_words_out_of_the_bytes(book: Casebook, tmp_path: Path) -> None:
    lin, wang = await hire(book, "lin"), await hire(book, "wang")
    secret = "只有这里写过的一句话"
    await reviews.decide(book, lin, WHAT, Judged(ReviewVerdict.EDIT, None, Private(secret), Private(secret)))
    await reviews.skip(book, wang, WHAT)
    await reviews.decide(book, lin, OTHER, REJECT)
    assert await reviews.erase_reviews(book, ["talks:1", *(f"none:{number}" for number in range(1200))]) == 1
    assert list(await reviews.all_decisions(book)) == [OTHER.item]
    assert await reviews.skipped_today(book, wang) == frozenset()
    folder = casebook_path(tmp_path).parent
    assert all(secret.encode() not in path.read_bytes() for path in folder.iterdir())


async def test_a_visitor_who_is_erased_leaves_no_words_with_reviewers(book: Casebook, tmp_path: Path) -> None:
    visitor, taken = await ask(book)
    lin = await hire(book, "lin")
    secret = "来访者的话，被审阅人改过"
    own = Reviewed(record_id(taken.conversation.id), "c" * 64)
    await reviews.decide(book, lin, own, edit(secret))
    await reviews.decide(book, lin, OTHER, REJECT)
    await erase_visitor(book, visitor)
    assert list(await reviews.all_decisions(book)) == [OTHER.item]
    folder = casebook_path(tmp_path).parent
    assert all(secret.encode() not in path.read_bytes() for path in folder.iterdir())
