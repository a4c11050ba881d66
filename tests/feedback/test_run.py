"""Consented answers become records; what is withdrawn or erased is gone at the next run."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from casebook_story import answer_from_library, ask, hire, open_case_id, said
from psyllm.casebook import cases, ratings, runs, talk
from psyllm.casebook.erase import erase_visitor
from psyllm.casebook.kinds import CloseReason, MessageAuthor
from psyllm.casebook.messages import Draft, Source
from psyllm.casebook.open import Casebook, casebook_url, open_casebook
from psyllm.clean.run import run as clean
from psyllm.core.private import Private
from psyllm.core.records import Record, read_records
from psyllm.core.settings import CleanSettings, FeedbackSettings
from psyllm.core.stages import Manifest, Stage, complete_runs, stage_folder
from psyllm.feedback.run import run
from psyllm.safety.levels import Level

LONG = (
    "可以先把一天里最难受的时刻记下来，看看它们有什么共同的地方；再挑一件小事，今晚就试一试，不用做得很好。"
)
SETTINGS = FeedbackSettings()
Story = Callable[[Casebook], Awaitable[object]]


def tell(data: Path, story: Story) -> object:
    """Open the casebook, let the story happen, close it."""

    async def whole() -> object:
        book = await open_casebook(casebook_url(data))
        try:
            return await story(book)
        finally:
            await book.close()

    return asyncio.run(whole())


async def rate(book: Casebook, visitor: str, message: str, mark: int = 5, consent: bool = True) -> None:
    await ratings.rate(
        book,
        visitor_id=visitor,
        message_id=message,
        marks=ratings.Marks(mark, mark, mark, mark),
        comment=Private("一句评语，不进记录"),
        training_consent=consent,
    )


async def rated_question(book: Casebook, mark: int = 5, consent: bool = True, browser: str = "one") -> str:
    """One question, one library answer, one rating; the visitor."""
    visitor, taken = await ask(book, "睡不着\n连续两周了", key=f"key-{browser}-1", browser=browser)
    answer = await answer_from_library(book, taken, LONG)
    await rate(book, visitor, answer, mark, consent)
    return visitor


async def counselled(book: Casebook) -> str:
    """A dialogue of two exchanges in which a counsellor answers last, with consent; the visitor."""
    visitor, taken = await ask(book, "和室友吵架了，不知道怎么开口", browser="two", key="key-two-1")
    await answer_from_library(book, taken, "一般的回答。" + LONG)
    conversation = taken.conversation.id
    await cases.ask_for_person(book, visitor, conversation)
    lin = await hire(book)
    case_id = await open_case_id(book, conversation)
    await cases.take(book, case_id, lin)
    turn = await talk.say(
        book, visitor_id=visitor, conversation_id=conversation, said=said("想和好又拉不下脸", "key-two-2")
    )
    answer = await cases.answer(
        book,
        case_id=case_id,
        staff=lin,
        text=Private("听起来你很在乎这段关系。" + LONG),
        base_version=turn.conversation.version,
        request_key="staff-001",
    )
    await rate(book, visitor, answer.id, mark=4)
    return visitor


def records(data: Path) -> list[Record]:
    return list(read_records(stage_folder(data, Stage.FEEDBACK) / "casebook"))


def test_a_well_rated_answer_with_consent_is_a_question_record(tmp_path: Path) -> None:
    tell(tmp_path, rated_question)
    manifest = run(SETTINGS, tmp_path)
    [record] = records(tmp_path)
    assert (record.kind, record.title, record.text) == ("question", "睡不着", "连续两周了")
    [answer] = record.answers
    assert (answer.text, answer.author, answer.mean_rating) == (LONG, "project", 5.0)
    assert record.consent_id
    assert (record.may_train, record.may_show, record.source) == (True, False, "casebook")
    assert record.group == record.id
    assert manifest.counts == {"records": 1, "answers": 1, "turns": 0, "ratings": 1}
    assert "评语" not in record.model_dump_json()


def test_a_counsellors_dialogue_is_a_dialogue_record_without_the_unrated_answer(tmp_path: Path) -> None:
    tell(tmp_path, counselled)
    run(SETTINGS, tmp_path)
    [record] = records(tmp_path)
    assert record.kind == "dialogue"
    assert [turn.role for turn in record.turns] == ["visitor", "visitor", "counsellor"]
    assert record.turns[-1].text.startswith("听起来你很在乎")
    assert record.flags == ("answered_by_counsellor",)


def test_of_two_answers_to_the_same_words_the_better_rated_stays(tmp_path: Path) -> None:
    async def story(book: Casebook) -> None:
        visitor, taken = await ask(book, "第一个问题")
        first = await answer_from_library(book, taken, "答一。" + LONG)
        again = await talk.say(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            said=said("第二个问题", "key-0002"),
        )
        second = await answer_from_library(book, again, "答二。" + LONG)
        view = await runs.another_view(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            request_key="view-0001",
            kind=again.run.kind,
        )
        draft = Draft(MessageAuthor.MODEL, Private("答三。" + LONG), Source(model="m"))
        await runs.publish_whole(book, view.id, draft)
        found = await talk.read_conversation(book, visitor, taken.conversation.id)
        for message, mark in ((first, 4), (second, 4), (found.messages[-1].id, 5)):
            await rate(book, visitor, message, mark)

    tell(tmp_path, story)
    run(SETTINGS, tmp_path)
    [record] = records(tmp_path)
    assert [turn.text[:2] for turn in record.turns] == ["第一", "答一", "第二", "答三"]


@pytest.mark.parametrize(("mark", "consent"), [(3, True), (5, False)])
def test_low_marks_or_no_consent_make_no_record(tmp_path: Path, mark: int, consent: bool) -> None:
    tell(tmp_path, lambda book: rated_question(book, mark, consent))
    manifest = run(SETTINGS, tmp_path)
    assert manifest.counts["records"] == 0
    assert manifest.drops == ({"rated_too_low": 1} if consent else {})
    assert complete_runs(tmp_path, Stage.FEEDBACK) == []


def test_a_dangerous_conversation_is_left_out_and_counted(tmp_path: Path) -> None:
    async def story(book: Casebook) -> None:
        visitor = await rated_question(book)
        [conversation] = await talk.list_conversations(book, visitor)
        await talk.say(
            book,
            visitor_id=visitor,
            conversation_id=conversation.id,
            said=said("不想活了", "key-0002", Level.RISK),
        )

    tell(tmp_path, story)
    manifest = run(SETTINGS, tmp_path)
    assert (manifest.counts["records"], manifest.drops) == (0, {"dangerous_conversation": 1})


def test_a_false_alarm_keeps_the_conversation_out_all_the_same(tmp_path: Path) -> None:
    async def story(book: Casebook) -> None:
        visitor = await rated_question(book)
        [conversation] = await talk.list_conversations(book, visitor)
        danger = said("不想活了", "key-0002", Level.RISK)
        await talk.say(book, visitor_id=visitor, conversation_id=conversation.id, said=danger)
        lin = await hire(book)
        case, _, _ = await cases.take(book, await open_case_id(book, conversation.id), lin)
        closed, _ = await cases.close(
            book,
            case_id=case.id,
            staff=lin,
            reason=CloseReason.FALSE_ALARM,
            note=Private("误点"),
            base_version=case.conversation.version,
        )
        assert closed.conversation.level is Level.NONE

    tell(tmp_path, story)
    manifest = run(SETTINGS, tmp_path)
    assert (manifest.counts["records"], manifest.drops) == (0, {"dangerous_conversation": 1})


def test_the_run_is_up_to_date_until_something_changes(tmp_path: Path) -> None:
    tell(tmp_path, rated_question)
    first = run(SETTINGS, tmp_path)
    assert run(SETTINGS, tmp_path) == first
    tell(tmp_path, lambda book: rated_question(book, browser="other"))
    second = run(SETTINGS, tmp_path)
    assert second.counts["records"] == 2
    assert second.content_hash != first.content_hash
    stricter = run(SETTINGS.model_copy(update={"licence": "other"}), tmp_path)
    assert {record.licence for record in records(tmp_path)} == {"other"}
    assert stricter.fingerprint != second.fingerprint


def test_the_same_casebook_gives_the_same_bytes(tmp_path: Path) -> None:
    tell(tmp_path, rated_question)
    first = run(SETTINGS, tmp_path)
    (stage_folder(tmp_path, Stage.FEEDBACK) / "casebook" / "manifest.json").unlink()
    assert run(SETTINGS, tmp_path).content_hash == first.content_hash


def test_what_is_withdrawn_or_erased_is_gone_at_the_next_run(tmp_path: Path) -> None:
    one = tell(tmp_path, rated_question)
    two = tell(tmp_path, counselled)
    assert run(SETTINGS, tmp_path).counts["records"] == 2

    async def withdraw(book: Casebook) -> None:
        [conversation] = await talk.list_conversations(book, str(one))
        found = await talk.read_conversation(book, str(one), conversation.id)
        await rate(book, str(one), found.messages[-1].id, consent=False)

    tell(tmp_path, withdraw)
    run(SETTINGS, tmp_path)
    assert [record.kind for record in records(tmp_path)] == ["dialogue"]
    tell(tmp_path, lambda book: erase_visitor(book, str(two)))
    run(SETTINGS, tmp_path)
    assert complete_runs(tmp_path, Stage.FEEDBACK) == []
    left = [path.name for path in stage_folder(tmp_path, Stage.FEEDBACK).rglob("*.parquet")]
    assert left == []


def test_without_a_casebook_none_is_made(tmp_path: Path) -> None:
    assert run(SETTINGS, tmp_path).counts["records"] == 0
    assert not (tmp_path / "casebook").exists()


def test_an_unfinished_run_is_replaced(tmp_path: Path) -> None:
    tell(tmp_path, rated_question)
    partial = stage_folder(tmp_path, Stage.FEEDBACK) / ".casebook.partial"
    partial.mkdir(parents=True)
    (partial / "part-00000.parquet").write_bytes(b"half")
    assert complete_runs(tmp_path, Stage.FEEDBACK) == []
    run(SETTINGS, tmp_path)
    assert len(records(tmp_path)) == 1
    assert not partial.exists()


def test_clean_takes_the_records_in_and_masks_what_is_private(tmp_path: Path) -> None:
    async def story(book: Casebook) -> None:
        visitor, taken = await ask(book, "想找人说说话，我的电话是13812345678，晚上总是一个人难受")
        answer = await answer_from_library(book, taken, LONG)
        await rate(book, visitor, answer)

    tell(tmp_path, story)
    run(SETTINGS, tmp_path)
    cleaned: Manifest = clean(CleanSettings(), tmp_path)
    [record] = read_records(stage_folder(tmp_path, Stage.CLEANED) / cleaned.run)
    assert record.source == "casebook"
    assert "13812345678" not in record.model_dump_json()
    assert record.consent_id
