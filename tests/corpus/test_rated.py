"""Rated answers beside the splits: one group, one side."""

import pytest

from psyllm.core.rated_answers import rated_prefix, read_rated
from psyllm.core.records import Answer, Record, write_records
from psyllm.core.settings import CorpusSettings
from psyllm.corpus.decontaminate import SHARED
from psyllm.corpus.grouping import group_records
from psyllm.corpus.plan import EXPIRED, make_plan
from psyllm.corpus.rated import (
    HELP_RATED_LOW,
    count_rated,
    sides_of_rated,
    without_rated,
    write_rated_sides,
)
from psyllm.corpus.split import SPLITS, position, side_at, split
from rated import rated

SETTINGS = CorpusSettings(dev_share=0.2, test_share=0.2)


def record(number, title="", **fields):
    name = f"made:{number}"
    words = title or f"第{number}个问题，" + "天地玄黄宇宙洪荒日月盈昃辰宿列张"[number % 8 :] * 2 + str(
        number
    )
    return Record(
        id=name,
        kind="question",
        group=fields.pop("group", name),
        source="made",
        licence="CC0-1.0",
        title=words,
        answers=(Answer(text=f"回答{number}" + words[::-1]),),
        **fields,
    )


def sides(records, rows):
    everything = [*records, *(row.record for row in rows)]
    grouping = group_records(lambda: iter(everything), SETTINGS)
    of_records = split(without_rated(grouping, len(rows)), SETTINGS)
    return of_records, sides_of_rated(grouping, of_records, SETTINGS)


def test_a_rating_of_a_conversation_is_where_its_record_is():
    rows = [rated(number) for number in range(20)]
    records = [record(number, group=row.record.group) for number, row in enumerate(rows)]
    of_records, of_rated = sides(records, rows)
    assert of_rated == of_records
    assert set(of_rated) == set(SPLITS)


def test_what_dev_and_test_ask_is_asked_by_no_rating_that_is_learnt_from():
    records = [record(number) for number in range(30)]
    rows = [rated(number, asked=one.title + "，真的很难受") for number, one in enumerate(records)]
    of_records, of_rated = sides(records, rows)
    assert of_rated == of_records


def test_ratings_change_nothing_about_the_sides_of_records():
    records = [record(number) for number in range(30)]
    alone, _ = sides(records, [])
    beside, _ = sides(records, [rated(number) for number in range(12)])
    assert alone == beside


def test_ratings_of_one_conversation_stay_together_and_all_sides_have_some():
    rows = [rated(number, conversation=number // 2) for number in range(60)]
    _, of_rated = sides([record(number) for number in range(10)], rows)
    assert all(of_rated[place] == of_rated[place + 1] for place in range(0, 60, 2))
    assert set(of_rated) == set(SPLITS)


@pytest.mark.parametrize("count", [1, 2])
def test_few_ratings_have_the_side_that_their_own_hash_gives_them(count):
    records, rows = [record(number) for number in range(10)], [rated(n) for n in range(count)]
    entries = group_records(lambda: iter([*records, *(row.record for row in rows)]), SETTINGS).entries
    of_their_own = [
        side_at(position([place], entries, SETTINGS.seed), SETTINGS) for place in range(10, 10 + count)
    ]
    assert sides(records, rows)[1] == of_their_own


def test_an_answer_of_what_is_measured_on_is_learnt_from_by_no_rating(tmp_path):
    records = [record(number) for number in range(30)]
    write_records(records, tmp_path, prefix="part")
    paths = sorted(tmp_path.glob("part-*.parquet"))
    fates = make_plan(paths, {}, SETTINGS).fates
    held = next(one for one, fate in zip(records, fates, strict=True) if fate == "test")
    copied = [rated(number, answer=held.answers[0].text) for number in range(12)]
    others = [rated(number) for number in range(20, 32)]
    plan = make_plan(paths, {}, SETTINGS, [*copied, *others])
    assert plan.fates == fates
    assert "train" not in plan.rated[:12]
    assert SHARED in plan.rated[:12]
    assert "train" in plan.rated[12:]
    assert SHARED not in plan.rated[12:]
    assert set(make_plan(paths, {"casebook": "2026-01-01"}, SETTINGS, others).rated) == {EXPIRED}


def test_each_side_has_its_file_and_the_card_its_counts(tmp_path):
    rows = [rated(number, desirable=number % 2 == 0) for number in range(6)]
    words = ["train", "train", "dev", "test", "shares_runs_with_evaluation", "train"]
    assert write_rated_sides(rows, words, tmp_path) == (5, {"shares_runs_with_evaluation": 1})
    found = [row.rating for row in read_rated(tmp_path, prefix=rated_prefix("train"))]
    assert found == [rows[place].rating for place in (0, 1, 5)]
    card = count_rated(tmp_path, {"shares_runs_with_evaluation": 1})
    assert card["train"] == {"answers": 3, "desirable": 1, "undesirable": 2, "raters": 2}
    assert card["left_out"] == {"shares_runs_with_evaluation": 1}
    assert count_rated(tmp_path / "none", {}) == {}


def test_an_answer_that_names_help_is_not_unlearnt_by_somebody_in_distress(tmp_path):
    helping = "听起来你很难受。请现在就拨打12356心理援助热线，或者让身边的人陪你去医院。"
    distress = {"flags": ("level:distress",)}
    rows = [
        rated(1, desirable=False, answer=helping, **distress),
        rated(2, answer=helping, **distress),
        rated(3, desirable=False, answer=helping),
        rated(4, desirable=False, **distress),
    ]
    written, left_out = write_rated_sides(rows, ["train"] * 4, tmp_path)
    assert (written, left_out) == (3, {HELP_RATED_LOW: 1})
    kept = read_rated(tmp_path, prefix=rated_prefix("train"))
    assert [row.rating for row in kept] == [row.rating for row in rows[1:]]
