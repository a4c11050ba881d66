"""Records keep every field on their way through Parquet."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from psyllm.core.records import (
    RECORD_SCHEMA,
    Answer,
    Record,
    Span,
    Turn,
    batch_to_records,
    count_records,
    from_row,
    read_records,
    records_to_batch,
    to_row,
    write_records,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
SPANS = st.lists(
    st.builds(Span, start=st.integers(0, 9), end=st.integers(10, 20), type=TEXT), max_size=2
).map(tuple)
TURNS = st.lists(
    st.builds(Turn, role=st.sampled_from(["visitor", "counsellor"]), text=TEXT, spans=SPANS), max_size=3
).map(tuple)
ANSWERS = st.lists(
    st.builds(
        Answer,
        text=TEXT,
        spans=SPANS,
        mean_rating=st.none() | st.floats(1, 5),
        votes=st.none() | st.integers(0, 2**40),
    ),
    max_size=2,
).map(tuple)
RECORDS = st.builds(
    Record,
    kind=st.sampled_from(["document", "question", "dialogue"]),
    title=TEXT,
    text=TEXT,
    turns=TURNS,
    answers=ANSWERS,
    keywords=st.lists(TEXT, max_size=3).map(tuple),
    parents=st.lists(TEXT, max_size=2).map(tuple),
    flags=st.just(()),
    topic_score=st.none() | st.floats(0, 1),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("records")
    assert write_records(records, folder, rows_per_file=2) == len(records)
    assert list(read_records(folder)) == records
    assert count_records(folder) == len(records)


@settings(max_examples=30, deadline=None)
@given(st.lists(RECORDS, max_size=6), st.integers(0, 3), st.integers(0, 6))
def test_a_batch_and_its_records_are_inverses(records, start, rows):
    batch = records_to_batch(records)
    assert batch.schema.equals(RECORD_SCHEMA, check_metadata=True)
    assert batch_to_records(batch) == records
    assert records_to_batch(batch_to_records(batch)).equals(batch)
    assert batch_to_records(batch.slice(start, rows)) == records[start : start + rows]


@settings(max_examples=30, deadline=None)
@given(st.lists(RECORDS, max_size=6))
def test_columns_built_directly_are_those_of_the_rows(records):
    slowly = pa.Table.from_pylist([to_row(record) for record in records], schema=RECORD_SCHEMA)
    assert pa.Table.from_batches([records_to_batch(records)]).equals(slowly)
    assert [from_row(row) for row in slowly.to_pylist()] == records


def test_a_file_ends_when_its_text_fills_the_memory(tmp_path):
    record = Record(id="a:1", kind="document", group="a:1", source="a", licence="x", text="文字" * 50)
    assert write_records([record] * 7, tmp_path, chars_per_file=250) == 7
    assert len(list(tmp_path.iterdir())) == 3
    assert list(read_records(tmp_path)) == [record] * 7


def test_the_same_records_give_the_same_bytes(tmp_path):
    records = [Record(id="a:1", kind="document", group="a:1", source="a", licence="x", text="文字")]
    write_records(records, tmp_path / "one")
    write_records(records, tmp_path / "two")
    assert (tmp_path / "one" / "part-00000.parquet").read_bytes() == (
        tmp_path / "two" / "part-00000.parquet"
    ).read_bytes()


def test_the_content_hash_folds_white_space_and_ignores_provenance():
    first = Record(id="a:1", kind="document", group="g", source="a", licence="x", text="你 好\n世界")
    second = Record(id="b:2", kind="document", group="h", source="b", licence="y", text="你  好 世界")
    third = second.model_copy(update={"text": "你好世界"})
    assert first.content_hash == second.content_hash != third.content_hash


def test_texts_do_not_run_together_in_the_hash():
    first = Record(id="a:1", kind="question", group="g", source="a", licence="x", title="一二", text="三")
    second = first.model_copy(update={"title": "一", "text": "二三"})
    assert first.content_hash != second.content_hash


def test_a_misspelt_field_is_refused():
    with pytest.raises(ValidationError):
        Record(id="a", kind="document", group="g", source="a", licence="x", txt="?")


def test_the_opening_is_the_visitors_first_turn_or_the_title_and_text():
    dialogue = Record(
        id="a",
        kind="dialogue",
        group="g",
        source="a",
        licence="x",
        turns=(Turn(role="counsellor", text="你好"), Turn(role="visitor", text="睡不着")),
    )
    question = Record(id="a", kind="question", group="g", source="a", licence="x", title="题", text="述")
    assert dialogue.opening() == "睡不着"
    assert question.opening() == "题\n述"
