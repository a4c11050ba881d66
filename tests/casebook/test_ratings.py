"""Ratings and consent; what is erased is gone to the last byte."""

import random
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from casebook_story import answer_from_library, ask, said
from psyllm.casebook import ratings, runs, talk
from psyllm.casebook.consented import consented_answers
from psyllm.casebook.erase import erase_visitor
from psyllm.casebook.open import Casebook, casebook_path
from psyllm.casebook.tables import Consent, Table
from psyllm.core.errors import NotFound, WrongState
from psyllm.core.private import Private
from psyllm.safety.levels import Level

pytestmark = pytest.mark.anyio
MARKS = ratings.Marks(5, 4, 3, 2)


def rate(book: Casebook, visitor: str, message: str, consent: bool = True, comment: str = "有用"):
    return ratings.rate(
        book,
        visitor_id=visitor,
        message_id=message,
        marks=MARKS,
        comment=Private(comment),
        training_consent=consent,
    )


async def test_a_rating_is_kept_with_the_run_and_replaced_by_the_next(book: Casebook) -> None:
    visitor, taken = await ask(book)
    answer = await answer_from_library(book, taken)
    assert taken.run is not None
    first = await rate(book, visitor, answer)
    assert (first.run_id, first.helpfulness) == (taken.run.id, 5)
    await rate(book, visitor, answer, comment="后来想想")
    found = await talk.read_conversation(book, visitor, taken.conversation.id)
    stored = found.messages[1].rating
    assert stored is not None
    assert stored.comment.reveal() == "后来想想"


async def test_only_answers_of_ones_own_can_be_rated(book: Casebook) -> None:
    visitor, taken = await ask(book)
    answer = await answer_from_library(book, taken)
    with pytest.raises(WrongState, match="only answers"):
        await rate(book, visitor, taken.message.id)
    stranger, _ = await ask(book, key="key-0002", browser="stranger")
    with pytest.raises(NotFound):
        await rate(book, stranger, answer)


async def test_consent_stands_until_the_box_is_sent_without_its_tick(book: Casebook) -> None:
    visitor, taken = await ask(book)
    answer = await answer_from_library(book, taken)
    for _ in range(2):
        await rate(book, visitor, answer)
    [given] = await consented_answers(book)
    assert [one.seq for one in given.messages] == [1, 2]
    await rate(book, visitor, answer, consent=False)
    assert await consented_answers(book) == []
    [kept] = await ratings.list_consents(book, visitor)
    assert kept.withdrawn_at is not None


async def test_consent_covers_nothing_after_the_rated_answer(book: Casebook) -> None:
    visitor, taken = await ask(book)
    answer = await answer_from_library(book, taken)
    await rate(book, visitor, answer)
    await talk.say(
        book, visitor_id=visitor, conversation_id=taken.conversation.id, said=said("后来的话", "key-0002")
    )
    [given] = await consented_answers(book)
    assert "后来的话" not in [one.text.reveal() for one in given.messages]


def raw_bytes(data: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(casebook_path(data).parent.iterdir()))


async def test_an_erased_visitor_leaves_no_byte_and_others_stay(book: Casebook, tmp_path: Path) -> None:
    draw = random.Random(20261123)
    planted = "这句话必须消失"
    ids = {}
    for number in range(12):
        mark = f"{planted}-{number:02d}-"
        long = mark + "字" * draw.choice([1, 40, 900, 3000]) + mark
        visitor, taken = await ask(book, long, key=f"key-{number:04d}", browser=f"b{number}")
        answer = await answer_from_library(book, taken, f"{mark}答")
        await rate(book, visitor, answer, comment=f"{mark}评")
        await talk.say(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            said=said(f"{mark}想死", f"kez-{number:04d}", Level.URGENT),
        )
        ids[number] = visitor
    gone = draw.sample(sorted(ids), 6)
    for number in gone:
        await erase_visitor(book, ids[number])
    raw = raw_bytes(tmp_path)
    for number in ids:
        found = f"{planted}-{number:02d}-".encode() in raw
        assert found is (number not in gone)


async def test_erasing_empties_every_table_that_hangs_on_a_visitor(book: Casebook) -> None:
    visitor, taken = await ask(book, level=Level.NONE)
    await rate(book, visitor, await answer_from_library(book, taken))
    await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=taken.conversation.id,
        said=said("想死", "key-0002", Level.URGENT),
    )
    await erase_visitor(book, visitor)
    kept = {"audit", "staff", "staff_sessions"}
    async with book.reading() as session:
        counts = {
            table.name: await session.scalar(select(func.count()).select_from(table))
            for table in Table.metadata.sorted_tables
        }
        who = (await session.execute(text("SELECT who, what, which FROM audit"))).all()
    assert {name for name, count in counts.items() if count} == {"audit"}
    assert kept > {"audit"}
    assert [tuple(row) for row in who] == [("visitor", "erased everything", "")]
    assert taken.run is not None
    assert (await runs.events_after(book, taken.run.id, 0)).events == []


async def test_erasing_takes_the_consents_too(book: Casebook) -> None:
    visitor, taken = await ask(book)
    await rate(book, visitor, await answer_from_library(book, taken))
    await erase_visitor(book, visitor)
    async with book.reading() as session:
        assert list(await session.scalars(select(Consent))) == []
    assert await consented_answers(book) == []
