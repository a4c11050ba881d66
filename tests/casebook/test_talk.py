"""A message is taken in by one transaction: screening, case, level, reply or run."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from casebook_story import answer_from_library, ask, hire, open_case_id, said
from psyllm.casebook import cases, runs, talk
from psyllm.casebook.kinds import CaseState, CloseReason, MessageAuthor, Owner, RunKind, RunState
from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Case, Message, Screening
from psyllm.core.errors import BadInput, NotFound, WrongState
from psyllm.core.private import Private
from psyllm.safety.levels import Level

pytestmark = pytest.mark.anyio


async def test_an_ordinary_question_gets_a_library_run_and_no_case(book: Casebook) -> None:
    _, taken = await ask(book)
    assert taken.run is not None
    assert taken.run.kind is RunKind.LIBRARY
    assert (taken.notice, taken.case_open, taken.conversation.version) == (None, False, 1)


@pytest.mark.parametrize("level", [Level.RISK, Level.URGENT, Level.IN_PROGRESS])
async def test_a_dangerous_message_gets_a_case_and_a_notice_and_no_run(book: Casebook, level: Level) -> None:
    _, taken = await ask(book, level=level)
    assert taken.run is None
    assert taken.case_open
    assert taken.notice is not None
    assert taken.notice.author is MessageAuthor.NOTICE
    assert taken.notice.text.reveal() == f"notice for {level.label}"
    [case] = await cases.list_cases(book, CaseState.OPEN)
    assert case.level is level


async def test_distress_is_still_answered(book: Casebook) -> None:
    _, taken = await ask(book, level=Level.DISTRESS)
    assert taken.run is not None
    assert not taken.case_open


async def test_the_level_never_falls_by_itself(book: Casebook) -> None:
    visitor, taken = await ask(book, level=Level.URGENT)
    again = await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=taken.conversation.id,
        said=said("谢谢", "key-0002", Level.NONE),
    )
    assert again.conversation.level is Level.URGENT
    assert again.run is None
    assert again.notice is not None


async def test_a_higher_level_raises_the_case_that_is_there(book: Casebook) -> None:
    visitor, taken = await ask(book, level=Level.RISK)
    await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=taken.conversation.id,
        said=said("现在就", "key-0002", Level.IN_PROGRESS),
    )
    [case] = await cases.list_cases(book, None)
    assert case.level is Level.IN_PROGRESS


async def test_the_same_key_gives_the_same_turn_and_no_second_message(book: Casebook) -> None:
    visitor, first = await ask(book, key="key-0001", level=Level.RISK)
    _, second = await ask(book, key="key-0001", level=Level.RISK)
    assert second.message.id == first.message.id
    assert second.notice is not None
    assert first.notice is not None
    assert second.notice.id == first.notice.id
    conversation = first.conversation.id
    turns = [
        await talk.say(
            book, visitor_id=visitor, conversation_id=conversation, said=said("还在吗", "key-0002")
        )
        for _ in range(3)
    ]
    assert len({turn.message.id for turn in turns}) == 1
    async with book.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Case)) == 1
        visitors = select(func.count()).where(Message.author == MessageAuthor.VISITOR)
        assert await session.scalar(visitors) == 2


async def test_the_same_key_at_the_same_moment_gives_one_message(book: Casebook) -> None:
    visitor, taken = await ask(book)
    both = await asyncio.gather(
        *(
            talk.say(
                book,
                visitor_id=visitor,
                conversation_id=taken.conversation.id,
                said=said("在吗", "key-0009"),
            )
            for _ in range(4)
        )
    )
    assert len({turn.message.id for turn in both}) == 1


async def test_a_conversation_of_somebody_else_is_not_there(book: Casebook) -> None:
    _, taken = await ask(book, browser="one")
    stranger, _ = await ask(book, browser="two", key="key-0002")
    with pytest.raises(NotFound):
        await talk.read_conversation(book, stranger, taken.conversation.id)
    with pytest.raises(NotFound):
        await talk.say(
            book,
            visitor_id=stranger,
            conversation_id=taken.conversation.id,
            said=said("给我看看", "key-0003"),
        )
    with pytest.raises(NotFound):
        await talk.turns_to_screen(book, stranger, taken.conversation.id)
    assert len(await talk.list_conversations(book, stranger)) == 1


async def test_a_new_message_stops_the_answer_to_the_one_before(book: Casebook) -> None:
    visitor, taken = await ask(book)
    assert taken.run is not None
    again = await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=taken.conversation.id,
        said=said("其实是想死", "key-0002", Level.URGENT),
    )
    assert again.stopped == [taken.run.id]
    assert (await runs.outcome(book, taken.run.id)).state is RunState.STOPPED


async def test_a_person_answers_so_no_run_is_made(book: Casebook) -> None:
    visitor, taken = await ask(book)
    await cases.ask_for_person(book, visitor, taken.conversation.id)
    lin = await hire(book)
    await cases.take(book, await open_case_id(book, taken.conversation.id), lin)
    calm = await talk.say(
        book, visitor_id=visitor, conversation_id=taken.conversation.id, said=said("你好", "key-0002")
    )
    assert (calm.run, calm.notice, calm.conversation.owner) == (None, None, Owner.PERSON)


@pytest.mark.parametrize("present", [True, False])
async def test_danger_while_a_person_owns_shows_the_notice_only_when_nobody_is_there(
    book: Casebook, present: bool
) -> None:
    visitor, taken = await ask(book, level=Level.RISK)
    lin = await hire(book)
    await cases.take(book, await open_case_id(book, taken.conversation.id), lin)
    urgent = await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=taken.conversation.id,
        said=said("我站在楼顶", "key-0002", Level.URGENT, present=present),
    )
    assert (urgent.notice is None) is present


async def test_a_thank_you_after_a_closed_case_opens_no_other_but_new_danger_does(book: Casebook) -> None:
    visitor, taken = await ask(book, level=Level.RISK)
    lin = await hire(book)
    case_id = await open_case_id(book, taken.conversation.id)
    case, _, _ = await cases.take(book, case_id, lin)
    await cases.close(
        book,
        case_id=case_id,
        staff=lin,
        reason=CloseReason.RESOLVED,
        note=Private(""),
        base_version=case.conversation.version,
    )
    conversation = taken.conversation.id
    thanks = await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=conversation,
        said=said("谢谢", "key-0002", Level.RISK, own=Level.NONE),
    )
    assert not thanks.case_open
    assert thanks.run is None
    danger = await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=conversation,
        said=said("又来了", "key-0003", Level.RISK, own=Level.RISK),
    )
    assert danger.case_open


async def test_only_a_false_alarm_lowers_the_level_and_forgets_the_turns(book: Casebook) -> None:
    visitor, taken = await ask(book, "跳楼价", level=Level.RISK)
    lin = await hire(book)
    case_id = await open_case_id(book, taken.conversation.id)
    case, _, _ = await cases.take(book, case_id, lin)
    closed, _ = await cases.close(
        book,
        case_id=case_id,
        staff=lin,
        reason=CloseReason.FALSE_ALARM,
        note=Private("打折广告"),
        base_version=case.conversation.version,
    )
    assert closed.conversation.level is Level.NONE
    assert "level lowered from risk to none" in [event.what for event in closed.history]
    assert await talk.turns_to_screen(book, visitor, taken.conversation.id) == []
    with pytest.raises(WrongState, match="not answered again") as refused:
        await runs.another_view(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            request_key="view-0001",
            kind=RunKind.GENERATED,
        )
    assert "write a new message" in refused.value.next_step
    again = await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=taken.conversation.id,
        said=said("睡不着", "key-0002"),
    )
    assert again.run is not None
    work = await runs.begin(book, again.run.id)
    assert [text.reveal() for _, text in work.turns] == ["睡不着"], (
        "nothing is searched with the cleared words"
    )


async def test_screenings_keep_rules_and_no_words(book: Casebook) -> None:
    await ask(book, "很私人的一句话", level=Level.RISK)
    async with book.reading() as session:
        [row] = await session.scalars(select(Screening))
    assert (row.rules, row.level, row.lexicon_version) == (["rule-1"], Level.RISK, "lexicon-1")


async def test_reading_counts_as_seen(book: Casebook) -> None:
    visitor, taken = await ask(book)
    await answer_from_library(book, taken)
    [before] = await talk.list_conversations(book, visitor)
    await talk.read_conversation(book, visitor, before.id)
    [after] = await talk.list_conversations(book, visitor)
    assert (before.seen_seq, before.last_seq, after.seen_seq) == (1, 2, 2)


async def test_waiting_begins_with_the_first_unanswered_message(book: Casebook, clock) -> None:
    visitor, taken = await ask(book, level=Level.RISK)
    lin = await hire(book)
    case_id = await open_case_id(book, taken.conversation.id)
    began = clock()
    clock.go(minutes=5)
    case, _, _ = await cases.take(book, case_id, lin)
    assert case.waiting_since == began
    await cases.answer(
        book,
        case_id=case_id,
        staff=lin,
        text=Private("我在"),
        base_version=case.conversation.version,
        request_key="staff-001",
    )
    clock.go(minutes=5)
    await talk.say(
        book,
        visitor_id=visitor,
        conversation_id=taken.conversation.id,
        said=said("嗯", "key-0002", own=Level.NONE),
    )
    [row] = await cases.list_cases(book, CaseState.TAKEN)
    assert row.waiting_since == began + timedelta(minutes=10)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(levels=st.lists(st.sampled_from(list(Level)), min_size=1, max_size=5))
async def test_in_any_dialogue_the_level_rises_only_and_danger_always_has_a_case(
    book: Casebook, levels: list[Level]
) -> None:
    browser = f"visitor-{id(levels)}-{levels}"
    visitor, taken = await ask(book, level=levels[0], browser=browser)
    highest = levels[0]
    for number, level in enumerate(levels[1:]):
        taken = await talk.say(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            said=said("嗯", f"key-1{number:03d}", level),
        )
        highest = max(highest, level)
    assert taken.conversation.level is highest
    assert taken.case_open is (highest >= Level.RISK)
    assert (taken.run is None) is (highest >= Level.RISK)


async def test_a_used_key_never_swallows_other_words(book: Casebook) -> None:
    visitor, taken = await ask(book, key="key-0001")
    with pytest.raises(BadInput, match="other words"):
        await talk.say(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            said=said("别的话", "key-0001", Level.RISK),
        )
    with pytest.raises(BadInput, match="other words"):
        await ask(book, "又是别的话", key="key-0001")


async def test_a_list_without_a_limit_has_every_conversation(book: Casebook) -> None:
    visitor, _ = await ask(book, key="key-0001")
    await ask(book, key="key-0002")
    assert len(await talk.list_conversations(book, visitor, most=1)) == 1
    assert len(await talk.list_conversations(book, visitor, most=None)) == 2
