"""Cases: one counsellor at a time, no answer to a conversation that moved on."""

import pytest
from sqlalchemy import select

from casebook_story import ask, hire, open_case_id, said
from psyllm.casebook import cases, staff, talk
from psyllm.casebook.kinds import CaseState, CloseReason, Owner
from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Audit, Case, Staff
from psyllm.core.errors import BadInput, NotFound, StaleVersion, WrongState
from psyllm.core.private import Private
from psyllm.safety.levels import Level

pytestmark = pytest.mark.anyio


async def taken_case(book: Casebook) -> tuple[str, str, Case, Staff]:
    """A risky conversation whose case Lin has taken: visitor, conversation, case, Lin."""
    visitor, taken = await ask(book, level=Level.RISK)
    lin = await hire(book)
    case, _, _ = await cases.take(book, await open_case_id(book, taken.conversation.id), lin)
    return visitor, taken.conversation.id, case, lin


def answer(book: Casebook, case: Case, who: Staff, version: int, key: str = "staff-001", text: str = "我在"):
    return cases.answer(
        book, case_id=case.id, staff=who, text=Private(text), base_version=version, request_key=key
    )


def close(book: Casebook, case: Case, who: Staff, version: int):
    return cases.close(
        book,
        case_id=case.id,
        staff=who,
        reason=CloseReason.REFERRED,
        note=Private("转介"),
        base_version=version,
    )


async def test_cases_come_by_level_and_then_age(book: Casebook, clock) -> None:
    for number, level in enumerate([Level.RISK, Level.URGENT, Level.RISK, Level.IN_PROGRESS]):
        await ask(book, key=f"key-{number:04d}", level=level)
        clock.go(minutes=1)
    listed = await cases.list_cases(book, CaseState.OPEN)
    assert [case.level for case in listed] == [Level.IN_PROGRESS, Level.URGENT, Level.RISK, Level.RISK]
    assert listed[2].opened_at < listed[3].opened_at


async def test_taking_gives_the_conversation_to_a_person_and_again_changes_nothing(book: Casebook) -> None:
    _, _, case, lin = await taken_case(book)
    assert (case.state, case.conversation.owner) == (CaseState.TAKEN, Owner.PERSON)
    again, _, _ = await cases.take(book, case.id, lin)
    assert again.conversation.version == case.conversation.version
    assert [event.what for event in again.history] == ["opened at level risk", "taken"]


async def test_a_case_has_one_counsellor(book: Casebook) -> None:
    _, _, case, _ = await taken_case(book)
    wang = await hire(book, "wang")
    for attempt in (
        cases.take(book, case.id, wang),
        answer(book, case, wang, case.conversation.version),
        close(book, case, wang, case.conversation.version),
    ):
        with pytest.raises(WrongState):
            await attempt


async def test_an_answer_to_what_has_moved_on_is_refused(book: Casebook) -> None:
    visitor, conversation, case, lin = await taken_case(book)
    seen = case.conversation.version
    await talk.say(
        book, visitor_id=visitor, conversation_id=conversation, said=said("还有一件事", "key-0002")
    )
    with pytest.raises(StaleVersion):
        await answer(book, case, lin, seen)
    with pytest.raises(StaleVersion):
        await close(book, case, lin, seen)


async def test_the_same_key_is_one_answer(book: Casebook) -> None:
    _, _, case, lin = await taken_case(book)
    before = case.conversation.version
    first = await answer(book, case, lin, before)
    second = await answer(book, case, lin, before)
    assert first.id == second.id
    # By one, and the desk counts on it: its next reply carries that version (console/desk.ts).
    third = await answer(book, case, lin, before + 1, key="staff-002")
    assert third.id != first.id


async def test_a_used_key_never_swallows_other_words_nor_those_for_another_visitor(book: Casebook) -> None:
    _, _, case, lin = await taken_case(book)
    await answer(book, case, lin, case.conversation.version)
    with pytest.raises(BadInput, match="other words"):
        await answer(book, case, lin, case.conversation.version, text="离开窗边")
    _, taken = await ask(book, key="key-0002", level=Level.RISK)
    other, _, _ = await cases.take(book, await open_case_id(book, taken.conversation.id), lin)
    with pytest.raises(BadInput, match="other words"):
        await answer(book, other, lin, other.conversation.version)
    with pytest.raises(NotFound):
        await cases.answer(
            book,
            case_id="no-such-case",
            staff=lin,
            text=Private("我在"),
            base_version=1,
            request_key="staff-001",
        )


async def test_closing_gives_the_conversation_back_and_keeps_the_level(book: Casebook) -> None:
    _, _, case, lin = await taken_case(book)
    closed, _ = await close(book, case, lin, case.conversation.version)
    assert (closed.state, closed.conversation.owner) == (CaseState.CLOSED, Owner.BOT)
    assert closed.conversation.level is Level.RISK
    assert closed.history[-1].what == "closed: referred"
    with pytest.raises(WrongState, match="closed"):
        await cases.take(book, case.id, lin)


async def test_asking_for_a_person_opens_one_case_at_the_present_level(book: Casebook) -> None:
    visitor, taken = await ask(book, level=Level.DISTRESS)
    for _ in range(2):
        await cases.ask_for_person(book, visitor, taken.conversation.id)
    [case] = await cases.list_cases(book, None)
    assert case.level is Level.DISTRESS


async def test_an_unknown_case_is_not_there(book: Casebook) -> None:
    lin = await hire(book)
    with pytest.raises(NotFound):
        await cases.read_case(book, "nothing", lin)


async def test_reading_is_audited_once_an_hour_and_without_words(book: Casebook, clock) -> None:
    _, _, case, lin = await taken_case(book)
    for minutes in (0, 10, 61):
        clock.go(minutes=minutes)
        await cases.read_case(book, case.id, lin)
    async with book.reading() as session:
        rows = list(await session.scalars(select(Audit).where(Audit.what == cases.READ)))
    assert [(row.who, row.which) for row in rows] == [("lin", case.id)] * 2


async def test_cases_of_somebody_disabled_are_open_again(book: Casebook) -> None:
    _, _, case, _ = await taken_case(book)
    await staff.disable(book, "lin")
    wang = await hire(book, "wang")
    again, _, _ = await cases.take(book, case.id, wang)
    assert again.assignee is not None
    assert again.assignee.name == "wang"
