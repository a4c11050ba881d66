"""Runs: numbered events, and nothing published that may not be."""

import pytest

from casebook_story import answer_from_library, ask, hire, open_case_id, said
from psyllm.casebook import cases, runs, talk
from psyllm.casebook.kinds import MessageAuthor, Owner, ReplacedBecause, RunKind, RunState
from psyllm.casebook.messages import Draft, Source
from psyllm.casebook.open import Casebook
from psyllm.casebook.tables import Conversation
from psyllm.core.errors import NotFound, StaleVersion, WrongState
from psyllm.core.language import Language
from psyllm.core.private import Private
from psyllm.safety.levels import Level

pytestmark = pytest.mark.anyio

NOT_FINISHED = {Language.ZH: Private("没有完成"), Language.EN: Private("not finished")}
LIBRARY = Draft(MessageAuthor.LIBRARY, Private("先照顾好睡眠。"), Source("starter:2#0", "睡眠"))


async def generated(book: Casebook) -> tuple[str, str, str]:
    """A question with a library answer, and a generated run begun; visitor, conversation, run."""
    visitor, taken = await ask(book)
    await answer_from_library(book, taken)
    conversation = taken.conversation.id
    run = await runs.another_view(
        book,
        visitor_id=visitor,
        conversation_id=conversation,
        request_key="view-0001",
        kind=RunKind.GENERATED,
    )
    await runs.begin(book, run.id)
    return visitor, conversation, run.id


async def names(book: Casebook, run_id: str, after: int = 0) -> list[str]:
    return [event.name for event in (await runs.events_after(book, run_id, after)).events]


async def shown(book: Casebook, visitor: str, conversation: str) -> list[tuple[str, str]]:
    found = await talk.read_conversation(book, visitor, conversation)
    return [(one.author.value, one.text.reveal()) for one in found.messages if not one.withdrawn]


async def test_events_are_numbered_from_one_without_gaps(book: Casebook) -> None:
    _, _, run_id = await generated(book)
    for sentence in ("一。", "二。"):
        await runs.publish_sentence(book, run_id, Private(sentence), Source(model="m"))
    await runs.finish(book, run_id)
    following = await runs.events_after(book, run_id, 0)
    assert [event.seq for event in following.events] == list(range(1, 7))
    assert await names(book, run_id) == ["state", "state", "sentence", "sentence", "state", "done"]
    assert await names(book, run_id, after=3) == ["sentence", "state", "done"]


async def test_sentences_grow_one_message(book: Casebook) -> None:
    visitor, conversation, run_id = await generated(book)
    for sentence in ("一。", "二。"):
        await runs.publish_sentence(book, run_id, Private(sentence), Source(model="m"))
    await runs.finish(book, run_id)
    assert (await shown(book, visitor, conversation))[-1] == ("model", "一。二。")


async def test_a_replaced_answer_is_withdrawn_and_the_other_takes_its_place(book: Casebook) -> None:
    visitor, conversation, run_id = await generated(book)
    await runs.publish_sentence(book, run_id, Private("一。"), Source(model="m"))
    await runs.replace(book, run_id, ReplacedBecause.GUARD, LIBRARY)
    assert [author for author, _ in await shown(book, visitor, conversation)] == [
        "visitor",
        "library",
        "library",
    ]
    assert await names(book, run_id, after=2) == ["sentence", "replaced", "state", "done"]
    assert (await runs.outcome(book, run_id)).state is RunState.REPLACED


async def test_nothing_is_published_once_a_person_owns_the_conversation(book: Casebook) -> None:
    visitor, conversation, run_id = await generated(book)
    await runs.publish_sentence(book, run_id, Private("一。"), Source(model="m"))
    await cases.ask_for_person(book, visitor, conversation)
    lin = await hire(book)
    _, _, stopped = await cases.take(book, await open_case_id(book, conversation), lin)
    assert stopped == [run_id]
    before = await shown(book, visitor, conversation)
    for publish in (
        runs.publish_sentence(book, run_id, Private("二。"), Source()),
        runs.publish_whole(book, run_id, LIBRARY),
        runs.replace(book, run_id, ReplacedBecause.ENGINE, LIBRARY),
        runs.finish(book, run_id),
    ):
        with pytest.raises(WrongState):
            await publish
    await runs.fail(book, run_id, NOT_FINISHED)
    assert await shown(book, visitor, conversation) == before
    assert (await runs.outcome(book, run_id)).state is RunState.STOPPED


async def test_nothing_is_published_after_the_visitor_wrote_again(book: Casebook) -> None:
    visitor, conversation, run_id = await generated(book)
    await talk.say(book, visitor_id=visitor, conversation_id=conversation, said=said("等等", "key-0002"))
    with pytest.raises((WrongState, StaleVersion)):
        await runs.publish_sentence(book, run_id, Private("一。"), Source())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"version": 9}, StaleVersion),
        ({"owner": Owner.PERSON}, WrongState),
        ({"level": Level.RISK}, WrongState),
    ],
)
async def test_each_check_alone_keeps_a_run_from_publishing(
    book: Casebook, change: dict[str, object], error: type[Exception]
) -> None:
    visitor, taken = await ask(book)
    assert taken.run is not None
    async with book.writing() as session:
        conversation = await session.get_one(Conversation, taken.conversation.id)
        for name, value in change.items():
            setattr(conversation, name, value)
    with pytest.raises(error):
        await runs.publish_whole(book, taken.run.id, LIBRARY)
    assert len(await shown(book, visitor, taken.conversation.id)) == 1


async def test_another_view_is_refused_at_risk_with_a_person_and_beside_another_run(book: Casebook) -> None:
    def view(visitor: str, conversation: str, key: str):
        return runs.another_view(
            book,
            visitor_id=visitor,
            conversation_id=conversation,
            request_key=key,
            kind=RunKind.GENERATED,
        )

    visitor, risky = await ask(book, level=Level.RISK)
    with pytest.raises(WrongState, match="no automatic answers"):
        await view(visitor, risky.conversation.id, "view-0001")
    _, taken = await ask(book, key="key-0002")
    with pytest.raises(WrongState, match="in the making"):
        await view(visitor, taken.conversation.id, "view-0002")
    await answer_from_library(book, taken)
    await cases.ask_for_person(book, visitor, taken.conversation.id)
    lin = await hire(book)
    await cases.take(book, await open_case_id(book, taken.conversation.id), lin)
    with pytest.raises(WrongState, match="person"):
        await view(visitor, taken.conversation.id, "view-0003")


async def test_the_same_key_gives_the_same_run(book: Casebook) -> None:
    visitor, conversation, run_id = await generated(book)
    again = await runs.another_view(
        book,
        visitor_id=visitor,
        conversation_id=conversation,
        request_key="view-0001",
        kind=RunKind.GENERATED,
    )
    assert again.id == run_id


async def test_work_ends_with_the_message_that_is_answered(book: Casebook) -> None:
    visitor, taken = await ask(book, "第一句")
    await answer_from_library(book, taken)
    run = await runs.another_view(
        book,
        visitor_id=visitor,
        conversation_id=taken.conversation.id,
        request_key="view-0001",
        kind=RunKind.GENERATED,
    )
    work = await runs.begin(book, run.id)
    assert [(author.value, text.reveal()) for author, text in work.turns] == [("visitor", "第一句")]
    assert work.shown == {"starter:1#0"}


async def test_unfinished_runs_are_failed_at_the_next_start_with_a_notice(book: Casebook) -> None:
    visitor, conversation, run_id = await generated(book)
    await runs.publish_sentence(book, run_id, Private("一。"), Source(model="m"))
    assert await runs.fail_unfinished(book, NOT_FINISHED) == 1
    assert (await shown(book, visitor, conversation))[-1] == ("notice", "没有完成")
    assert await names(book, run_id, after=3) == ["message", "state", "done"]
    assert await runs.fail_unfinished(book, NOT_FINISHED) == 0


async def test_a_failed_run_says_so_in_the_language_of_its_conversation(book: Casebook) -> None:
    visitor, first = await ask(book)
    english = said("I can't sleep", "key-0002")._replace(language=Language.EN)
    taken = await talk.say(book, visitor_id=visitor, conversation_id=first.conversation.id, said=english)
    assert taken.run is not None
    assert (await runs.begin(book, taken.run.id)).language is Language.EN
    await runs.fail(book, taken.run.id, NOT_FINISHED)
    assert (await shown(book, visitor, first.conversation.id))[-1] == ("notice", "not finished")


async def test_a_stopped_run_keeps_what_was_released(book: Casebook) -> None:
    visitor, conversation, run_id = await generated(book)
    await runs.publish_sentence(book, run_id, Private("一。"), Source(model="m"))
    assert (await runs.stop(book, run_id)).state is RunState.STOPPED
    assert (await runs.stop(book, run_id)).state is RunState.STOPPED
    assert (await shown(book, visitor, conversation))[-1] == ("model", "一。")


async def test_a_run_of_somebody_else_is_not_there(book: Casebook) -> None:
    _, _, run_id = await generated(book)
    stranger, _ = await ask(book, key="key-0002", browser="stranger")
    with pytest.raises(NotFound):
        await runs.own_run(book, stranger, run_id)
