"""Reviews: what they change, what voids them, and that a broken file is told."""

import datetime as dt

import pytest

from psyllm.core.errors import MalformedInput
from psyllm.core.records import Answer, Record, Span, Turn
from psyllm.core.reviews import Review, append_reviews, read_reviews, reviewed, reviews_path

QUESTION = Record(
    id="starter:1",
    kind="question",
    group="starter:1",
    source="starter",
    licence="CC-BY-4.0",
    title="睡不着",
    answers=(Answer(text="先写下来。再躺下。", spans=(Span(start=0, end=9, type="Direct Guidance"),)),),
)
DIALOGUE = QUESTION.model_copy(
    update={
        "id": "starter:dialogue-000",
        "kind": "dialogue",
        "title": "",
        "answers": (),
        "turns": (Turn(role="visitor", text="在吗"), Turn(role="counsellor", text="在。")),
    }
)
ARTICLE = QUESTION.model_copy(
    update={"id": "starter:article-000", "kind": "document", "answers": (), "text": "夜里醒着。"}
)


def review(record, decision="accept", **more):
    return Review(
        key=record.id,
        words=record.content_hash,
        decision=decision,
        reviewer="王医生",
        licence="测试-1",
        date=dt.date(2026, 11, 30),
        **more,
    )


def test_an_accepted_record_carries_the_name_and_the_same_words():
    [kept] = reviewed([QUESTION], [review(QUESTION)])
    assert (kept.reviewed_by, kept.answers[0].reviewed_by) == ("王医生", "王医生")
    assert kept.content_hash == QUESTION.content_hash


def test_a_rejected_record_is_left_out_and_a_later_acceptance_brings_it_back():
    assert list(reviewed([QUESTION], [review(QUESTION, "reject")])) == []
    assert len(list(reviewed([QUESTION], [review(QUESTION, "reject"), review(QUESTION)]))) == 1
    assert list(reviewed([QUESTION], [review(QUESTION), review(QUESTION, "reject")])) == []


def test_a_change_brings_the_new_words_of_each_kind():
    spans = (Span(start=0, end=5, type="Others"),)
    [kept] = reviewed([QUESTION], [review(QUESTION, "change", text="先写下来。", spans=spans)])
    assert (kept.answers[0].text, kept.answers[0].spans) == ("先写下来。", spans)
    [kept] = reviewed([ARTICLE], [review(ARTICLE, "change", text="夜里醒着，也没关系。")])
    assert kept.text == "夜里醒着，也没关系。"
    turns = (Turn(role="visitor", text="在吗"), Turn(role="counsellor", text="在，你说。"))
    [kept] = reviewed([DIALOGUE], [review(DIALOGUE, "change", turns=turns)])
    assert (kept.turns, kept.reviewed_by) == (turns, "王医生")


def test_a_review_of_words_that_have_changed_since_says_nothing():
    rewritten = QUESTION.model_copy(update={"answers": (Answer(text="别的话。"),)})
    for decision in ("accept", "reject"):
        [kept] = reviewed([rewritten], [review(QUESTION, decision)])
        assert kept == rewritten


def test_words_that_a_reviewer_changed_can_be_reviewed_again():
    change = review(QUESTION, "change", text="先写下来。")
    [changed] = reviewed([QUESTION], [change])
    assert list(reviewed([QUESTION], [change, review(changed, "reject")])) == []
    # The first words are gone: a late decision about them counts for nothing.
    [kept] = reviewed([QUESTION], [change, review(QUESTION, "reject")])
    assert kept.answers[0].text == "先写下来。"


def test_reviews_are_appended_and_come_back_as_they_were(tmp_path):
    path = reviews_path(tmp_path)
    assert read_reviews([path]) == []
    first = review(
        QUESTION, "change", text="先写下来。", spans=(Span(start=0, end=5, type="Others"),), note="短些"
    )
    append_reviews(path, [first])
    append_reviews(path, [review(DIALOGUE)])
    assert read_reviews([path]) == [first, review(DIALOGUE)]


def test_a_broken_line_is_told_by_file_and_number_and_not_by_its_words(tmp_path):
    path = reviews_path(tmp_path)
    append_reviews(path, [review(QUESTION)])
    with path.open("a") as file:
        file.write('{"key": "starter:2", "note": "某人的话"}\n')
    with pytest.raises(MalformedInput, match="line 2") as caught:
        read_reviews([path])
    assert "某人的话" not in str(caught.value)


def test_a_line_that_was_cut_off_does_not_swallow_the_next(tmp_path):
    path = reviews_path(tmp_path)
    append_reviews(path, [review(QUESTION)])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    append_reviews(path, [review(DIALOGUE)])
    assert read_reviews([path]) == [review(QUESTION), review(DIALOGUE)]


def test_a_file_cut_off_inside_a_character_is_told_and_a_mark_at_its_start_is_not_minded(tmp_path):
    path = reviews_path(tmp_path)
    append_reviews(path, [review(QUESTION)])
    whole = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + whole)
    assert read_reviews([path]) == [review(QUESTION)]
    path.write_bytes(whole + "王".encode()[:2])
    with pytest.raises(MalformedInput, match="breaks off"):
        read_reviews([path])


def test_rejected_records_can_be_asked_for_and_carry_no_name():
    decisions = [review(QUESTION), review(QUESTION, "reject")]
    [kept] = reviewed([QUESTION], decisions, rejected_too=True)
    assert (kept.id, kept.reviewed_by, kept.answers[0].reviewed_by) == (QUESTION.id, "", "")
