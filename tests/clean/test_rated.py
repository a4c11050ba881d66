"""Rated answers on their way through cleaning."""

import pytest

from psyllm.clean.rated import clean_rated
from psyllm.core.errors import LostRecords
from psyllm.core.forgetting import marks_of
from psyllm.core.rated_answers import read_rated, write_rated
from psyllm.core.settings import CleanSettings
from psyllm.core.settled_reviews import NO_REVIEWS, EditedTexts, SettledReview
from psyllm.core.stages import Manifest, Stage, stage_folder
from psyllm.core.tombstones import NO_TOMBSTONES, Tombstones
from rated import rated, rated_dialogue


def cleaned(data, rows, *, tombstones=NO_TOMBSTONES, reviews=NO_REVIEWS, counted=None):
    write_rated(rows, stage_folder(data, Stage.FEEDBACK) / "casebook")
    count = len(rows) if counted is None else counted
    source = Manifest(stage="6_feedback", run="casebook", fingerprint="f", counts={"ratings": count})
    folder = data / "out"
    found = clean_rated(data, [source], folder, CleanSettings(), tombstones, reviews)
    return found, list(read_rated(folder))


def test_good_and_bad_ones_stay_with_who_rated_and_how(tmp_path):
    rows = [rated(1), rated(2, desirable=False), rated_dialogue(3)]
    found, kept = cleaned(tmp_path, rows)
    assert (found.read, found.kept, found.drops) == (3, 3, {})
    assert [(row.rating, row.rater, row.desirable) for row in kept] == [
        (row.rating, row.rater, row.desirable) for row in rows
    ]


def test_what_points_at_a_person_is_masked_in_prompt_and_answer(tmp_path):
    asked = "我叫王小明，电话是13812345678，最近总是一个人难受"
    rows = [rated(1, desirable=False, asked=asked, answer="我会打给13812345678，你先别着急，慢慢说。")]
    _, (row,) = cleaned(tmp_path, rows)
    assert "13812345678" not in row.record.model_dump_json()
    assert b"13812345678" not in next((tmp_path / "out").glob("*.parquet")).read_bytes()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (rated(1, asked="我不想活了，今晚就去死"), "dangerous"),
        (rated(1, desirable=False, asked="我不想活了，今晚就去死"), "dangerous"),
        (rated(1, asked="我今年14岁，爸妈总是吵架，我很难受"), "minor"),
        (rated(1, answer="我去死了算了，你也去死吧，没有人会在意你。"), "good_but_stopped_by_the_guard"),
        (rated(1, answer="焦虑症是一种常见的心理问题，很多人都会遇到。"), "good_but_stopped_by_the_guard"),
    ],
)
def test_where_a_mark_is_no_guide_the_answer_is_left_out(tmp_path, row, reason):
    found, kept = cleaned(tmp_path, [row, rated(2)])
    assert found.drops == {reason: 1}
    assert [one.rating for one in kept] == [rated(2).rating]


def test_a_good_answer_may_name_the_disorder_that_the_visitor_named(tmp_path):
    answer = "焦虑症是一种常见的心理问题，很多人都会遇到。"
    found, kept = cleaned(tmp_path, [rated(1, asked="医生说我有焦虑症，我很难受", answer=answer)])
    assert (found.drops, len(kept)) == ({}, 1)


def test_a_bad_answer_that_the_guard_stops_may_be_unlearnt(tmp_path):
    found, kept = cleaned(tmp_path, [rated(1, desirable=False, answer="你去死吧，没有人会在意你。")])
    assert (found.drops, len(kept)) == ({}, 1)


def test_what_people_rejected_or_changed_is_in_no_rating(tmp_path):
    rows = [rated(number, desirable=False) for number in range(3)]
    reviews = [
        SettledReview(id=rows[0].record.id, words="other words", verdict="reject"),
        SettledReview(id=rows[1].record.id, words="more", verdict="edit", edited=EditedTexts()),
        SettledReview(id=rows[2].record.id, words="again", verdict="accept"),
    ]
    found, kept = cleaned(tmp_path, rows, reviews={(one.id, one.words): one for one in reviews})
    assert found.drops == {"rejected_or_edited": 2}
    assert [row.rating for row in kept] == [rows[2].rating]


def test_equal_words_that_people_rejected_elsewhere_go_too(tmp_path):
    row = rated(1)
    review = SettledReview(id="other:1", words=row.record.content_hash, verdict="reject")
    found, kept = cleaned(tmp_path, [row], reviews={(review.id, review.words): review})
    assert (found.drops, kept) == ({"rejected_or_edited": 1}, [])


def test_what_was_forgotten_stays_out(tmp_path):
    row = rated(1)
    marks = Tombstones.of(marks_of((), (), (row.record.content_hash,)))
    found, kept = cleaned(tmp_path, [row, rated(2)], tombstones=marks)
    assert (found.drops, len(kept)) == ({"forgotten": 1}, 1)


def test_lost_rows_are_told(tmp_path):
    with pytest.raises(LostRecords, match="2 rated answers were given back, 1 are there"):
        cleaned(tmp_path, [rated(1)], counted=2)
