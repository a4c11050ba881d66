"""Which rated answers go on as preferences, and what never does."""

from pathlib import Path

import pytest

from casebook_story import answer_from_library, ask, said
from feedback.test_run import LONG, SETTINGS, counselled, rate, rated_question, records, tell
from forgotten_story import collected, holds, question
from psyllm.casebook import ratings, runs, talk
from psyllm.casebook.erase import erase_visitor
from psyllm.casebook.kinds import MessageAuthor
from psyllm.casebook.messages import Draft, Source
from psyllm.casebook.open import Casebook
from psyllm.clean.run import run as clean
from psyllm.core.forgetting import marks_of
from psyllm.core.private import Private
from psyllm.core.rated_answers import RatedAnswer, read_rated
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Stage, complete_runs, stage_folder
from psyllm.core.tombstones import append_tombstones
from psyllm.corpus.refresh import refresh
from psyllm.corpus.run import run as corpus
from psyllm.feedback.run import run
from psyllm.safety.levels import Level


def rows(data: Path) -> list[RatedAnswer]:
    return list(read_rated(stage_folder(data, Stage.FEEDBACK) / "casebook"))


async def marked(book: Casebook, visitor: str, message: str, *marks: int) -> None:
    await ratings.rate(
        book,
        visitor_id=visitor,
        message_id=message,
        marks=ratings.Marks(*marks),
        comment=Private("一句评语，不进记录"),
        training_consent=True,
    )


def test_a_badly_rated_answer_is_a_rated_answer_and_no_record(tmp_path):
    tell(tmp_path, lambda book: rated_question(book, 1))
    manifest = run(SETTINGS, tmp_path)
    assert records(tmp_path) == []
    (row,) = rows(tmp_path)
    assert (row.desirable, row.mean, row.answered_by, row.made_by) == (False, 1.0, "project", "starter:1#0")
    assert (row.record.title, row.record.text, row.answer()) == ("睡不着", "连续两周了", LONG)
    assert (row.record.may_train, row.record.may_show) == (False, False)
    assert row.record.consent_id
    assert manifest.counts == {"records": 0, "answers": 0, "turns": 0, "ratings": 1}
    assert manifest.details["ratings"]["undesirable"] == 1
    assert len(complete_runs(tmp_path, Stage.FEEDBACK)) == 1


def test_a_well_rated_answer_is_both_and_under_one_id(tmp_path):
    tell(tmp_path, rated_question)
    run(SETTINGS, tmp_path)
    (row,), (record,) = rows(tmp_path), records(tmp_path)
    assert row.desirable
    assert (row.record.id, row.record.group) == (record.id, record.id)
    assert record.may_train


def test_nothing_leads_back_to_who_rated(tmp_path):
    visitor = tell(tmp_path, rated_question)
    run(SETTINGS, tmp_path)
    (row,) = rows(tmp_path)
    text = row.model_dump_json()
    assert len(row.rater) == 16
    assert str(visitor) not in text
    assert str(visitor)[:8] not in text
    assert "评语" not in text


def test_one_persons_ratings_have_one_pseudonym_and_anothers_another(tmp_path):
    async def story(book: Casebook) -> None:
        for browser in ("one", "two"):
            for asked in ("第一件事", "第二件事"):
                visitor, taken = await ask(book, asked, key=f"{browser}-{asked}", browser=browser)
                await rate(book, visitor, await answer_from_library(book, taken, LONG), 5)

    tell(tmp_path, story)
    run(SETTINGS, tmp_path)
    found = rows(tmp_path)
    assert len(found) == 4
    assert sorted(found.count(row) for row in found) == [1, 1, 1, 1]
    assert len({row.rater for row in found}) == 2


@pytest.mark.parametrize(
    ("marks", "reason"),
    [((3, 3, 3, 3), "rated_between"), ((1, 5, 5, 5), "rated_both_ways"), ((2, 3, 3, 3), "rated_between")],
)
def test_a_rating_that_says_neither_is_counted_and_left_out(tmp_path, marks, reason):
    async def story(book: Casebook) -> None:
        visitor, taken = await ask(book)
        await marked(book, visitor, await answer_from_library(book, taken, LONG), *marks)

    tell(tmp_path, story)
    manifest = run(SETTINGS, tmp_path)
    assert rows(tmp_path) == []
    assert manifest.details["ratings"]["left_out"] == {reason: 1}


def test_what_preferences_call_not_good_is_not_learnt_by_heart_either(tmp_path):
    """Of one conversation the answer that doesn't help is left out and counted, the good one beside it stays."""

    async def story(book: Casebook) -> None:
        visitor, taken = await ask(book, "第一个问题")
        await marked(book, visitor, await answer_from_library(book, taken, "答一。" + LONG), 1, 5, 5, 5)
        again = await talk.say(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            said=said("第二个问题", "key-0002"),
        )
        await marked(book, visitor, await answer_from_library(book, again, "答二。" + LONG), 3, 5, 4, 4)

    tell(tmp_path, story)
    manifest = run(SETTINGS, tmp_path)
    (record,), (row,) = records(tmp_path), rows(tmp_path)
    assert [turn.text[:2] for turn in record.turns] == ["第一", "第二", "答二"]
    assert (row.desirable, row.answer()[:2]) == (True, "答二")
    assert manifest.drops == manifest.details["ratings"]["left_out"] == {"rated_both_ways": 1}


@pytest.mark.parametrize("mark", [1, 5])
def test_of_a_crisis_no_rating_is_learnt_whichever_way_it_was_rated(tmp_path, mark):
    async def story(book: Casebook) -> None:
        visitor = await rated_question(book, mark)
        (conversation,) = await talk.list_conversations(book, visitor)
        danger = said("不想活了", "key-0002", Level.RISK)
        await talk.say(book, visitor_id=visitor, conversation_id=conversation.id, said=danger)

    tell(tmp_path, story)
    manifest = run(SETTINGS, tmp_path)
    assert rows(tmp_path) == []
    assert manifest.details["ratings"]["left_out"] == {"dangerous_conversation": 1}


def test_what_a_counsellor_wrote_is_not_unlearnt(tmp_path):
    async def story(book: Casebook) -> None:
        visitor = await counselled(book)
        (conversation,) = await talk.list_conversations(book, visitor)
        found = await talk.read_conversation(book, visitor, conversation.id)
        await rate(book, visitor, found.messages[-1].id, 1)

    tell(tmp_path, story)
    manifest = run(SETTINGS, tmp_path)
    assert rows(tmp_path) == []
    assert manifest.details["ratings"]["left_out"] == {"counsellor_rated_low": 1}


def test_two_answers_to_the_same_words_are_a_pair_and_neither_stands_in_the_others_prompt(tmp_path):
    async def story(book: Casebook) -> None:
        visitor, taken = await ask(book, "第一个问题")
        first = await answer_from_library(book, taken, "答一。" + LONG)
        view = await runs.another_view(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            request_key="view-0001",
            kind=taken.run.kind,
        )
        draft = Draft(MessageAuthor.MODEL, Private("答二。" + LONG), Source(model="model-abc"))
        await runs.publish_whole(book, view.id, draft)
        found = await talk.read_conversation(book, visitor, taken.conversation.id)
        await rate(book, visitor, first, 1)
        await rate(book, visitor, found.messages[-1].id, 5)

    tell(tmp_path, story)
    run(SETTINGS, tmp_path)
    good, bad = sorted(rows(tmp_path), key=lambda row: not row.desirable)
    assert (good.prompt, good.rater) == (bad.prompt, bad.rater)
    assert (good.made_by, good.answered_by) == ("model-abc", "model")
    assert (good.record.title, bad.record.title) == ("第一个问题", "第一个问题")
    assert "答一" not in good.record.model_dump_json()
    assert good.rating != bad.rating


def test_the_prompt_of_a_later_answer_is_all_that_had_been_said(tmp_path):
    async def story(book: Casebook) -> None:
        visitor, taken = await ask(book, "第一个问题")
        await answer_from_library(book, taken, "答一。" + LONG)
        again = await talk.say(
            book,
            visitor_id=visitor,
            conversation_id=taken.conversation.id,
            said=said("第二个问题", "key-0002"),
        )
        await rate(book, visitor, await answer_from_library(book, again, "答二。" + LONG), 1)

    tell(tmp_path, story)
    run(SETTINGS, tmp_path)
    (row,) = rows(tmp_path)
    assert [turn.text[:2] for turn in row.record.turns] == ["第一", "答一", "第二", "答二"]


def test_consent_taken_back_or_a_visitor_erased_takes_the_ratings_along(tmp_path):
    one = tell(tmp_path, lambda book: rated_question(book, 1))
    two = tell(tmp_path, lambda book: rated_question(book, 5, browser="other"))
    run(SETTINGS, tmp_path)
    assert len(rows(tmp_path)) == 2

    async def withdraw(book: Casebook) -> None:
        (conversation,) = await talk.list_conversations(book, str(one))
        found = await talk.read_conversation(book, str(one), conversation.id)
        await rate(book, str(one), found.messages[-1].id, 1, consent=False)

    tell(tmp_path, withdraw)
    run(SETTINGS, tmp_path)
    assert [row.desirable for row in rows(tmp_path)] == [True]
    tell(tmp_path, lambda book: erase_visitor(book, str(two)))
    run(SETTINGS, tmp_path)
    assert complete_runs(tmp_path, Stage.FEEDBACK) == []
    assert not list(stage_folder(tmp_path, Stage.FEEDBACK).rglob("*.parquet"))


def test_what_was_forgotten_comes_back_by_no_rating(tmp_path):
    tell(tmp_path, lambda book: rated_question(book, 1))
    run(SETTINGS, tmp_path)
    (row,) = rows(tmp_path)
    append_tombstones(tmp_path, marks_of((), (), (row.record.content_hash,)))
    manifest = run(SETTINGS, tmp_path)
    assert rows(tmp_path) == []
    assert manifest.details["ratings"]["left_out"] == {"forgotten": 1}


def test_a_changed_rating_makes_another_run(tmp_path):
    visitor = tell(tmp_path, lambda book: rated_question(book, 1))
    first = run(SETTINGS, tmp_path)
    assert run(SETTINGS, tmp_path) == first

    async def again(book: Casebook) -> None:
        (conversation,) = await talk.list_conversations(book, str(visitor))
        found = await talk.read_conversation(book, str(visitor), conversation.id)
        await rate(book, str(visitor), found.messages[-1].id, 2)

    tell(tmp_path, again)
    assert run(SETTINGS, tmp_path).content_hash != first.content_hash


def test_consent_taken_back_reaches_cleaned_data_and_corpora_byte_for_byte(tmp_path):
    """Through the stages as the commands do it: said, rated badly, split, then taken back."""
    words = "青石桥边的铜铃铛"
    collected(tmp_path, [question(number) for number in range(30)])

    async def story(book: Casebook) -> str:
        visitor, taken = await ask(book, f"{words}丢了以后我总是睡不着，也不想和人说")
        await rate(book, visitor, await answer_from_library(book, taken, LONG), 1)
        return visitor

    visitor = str(tell(tmp_path, story))
    run(SETTINGS, tmp_path, remake=refresh)
    clean(CleanSettings(), tmp_path)
    corpus(CorpusSettings(), tmp_path)
    stages = [tmp_path / stage.value for stage in (Stage.FEEDBACK, Stage.CLEANED, Stage.CORPUS)]
    assert all(holds(stage, words) for stage in stages)

    async def withdraw(book: Casebook) -> None:
        (conversation,) = await talk.list_conversations(book, visitor)
        found = await talk.read_conversation(book, visitor, conversation.id)
        await rate(book, visitor, found.messages[-1].id, 1, consent=False)

    tell(tmp_path, withdraw)
    manifest = run(SETTINGS, tmp_path, remake=refresh)
    assert manifest.details["withdrawn"]["rows"] == 2
    assert not any(holds(stage, words) for stage in stages)
