"""Rated answers as files: what is written is read, and nothing else reads it."""

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from psyllm.core.rated_answers import (
    RATED_SCHEMA,
    rated_files,
    rated_prefix,
    read_rated,
    tally_of,
    write_rated,
)
from psyllm.core.records import RECORD_SCHEMA, count_records, read_records
from rated import rated, rated_dialogue


@settings(max_examples=20)
@given(numbers=st.lists(st.tuples(st.integers(0, 500), st.booleans(), st.booleans()), max_size=6))
def test_what_is_written_is_read(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("rated")
    rows = [(rated_dialogue if long else rated)(number, desirable=good) for number, good, long in numbers]
    assert write_rated(rows, folder) == len(rows)
    assert list(read_rated(folder)) == rows
    assert bool(rated_files(folder)) == bool(rows)


def test_no_reader_of_records_meets_a_rated_answer(tmp_path):
    for prefix in ("ratings", *map(rated_prefix, ("train", "dev", "test"))):
        write_rated([rated(1, desirable=False)], tmp_path, prefix=prefix)
    for prefix in ("part", "train", "dev", "test", "dropped"):
        assert list(read_records(tmp_path, prefix=prefix)) == []
        assert count_records(tmp_path, prefix=prefix) == 0


def test_a_rated_answer_may_be_neither_learnt_by_heart_nor_shown(tmp_path):
    write_rated([rated(1)], tmp_path)
    (path,) = rated_files(tmp_path)
    row = pq.read_table(path).to_pylist()[0]
    assert (row["may_train"], row["may_show"]) == (False, False)
    assert RATED_SCHEMA.names[: len(RECORD_SCHEMA.names)] == RECORD_SCHEMA.names


def test_its_mean_is_that_of_four_marks():
    row = rated(1).model_copy(update={"helpfulness": 1, "fluency": 4})
    assert row.mean == 3.75
    assert row.answer() == row.record.answers[0].text
    assert rated_dialogue(2).answer() == rated_dialogue(2).record.turns[-1].text


def test_good_and_bad_ones_and_people_are_counted():
    rows = [rated(number, desirable=number == 0, rater=f"rater-{number % 2}") for number in range(3)]
    assert tally_of(rows) == (1, 2, 2)
    assert tally_of([]) == (0, 0, 0)
