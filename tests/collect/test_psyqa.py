from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up import write_array, write_lines
from psyllm.collect.formats import recognise
from psyllm.collect.psyqa import exclusive_spans
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput
from psyllm.core.records import Span


def read(path):
    source = Source("psyqa", "agreement")
    form = recognise(path)
    assert form.name == "PsyQA JSON"
    return list(form.read(path, source)), source


def whole(**changes):
    question = {
        "question": "晚上睡不着怎么办？",
        "description": "总是想着白天的事。",
        "keywords": "情绪,睡眠",
        "answers": [{"answer_text": "先别急着睡着。", "has_label": False, "labels_sequence": None}],
        "questionID": 7,
    }
    return question | changes


def labelled(text, *edges):
    labels = [{"start": a, "end": b, "type": "Others"} for a, b in edges]
    return {"answer_text": text, "has_label": True, "labels_sequence": labels}


def test_a_question_with_all_its_answers_is_one_record(tmp_path):
    answers = [labelled("先别急着睡着。", (0, 3), (3, 7)), labelled("可以写下来。", (0, 5))]
    (record,), source = read(write_array([whole(answers=answers)], tmp_path / "a"))
    assert (record.id, record.group, record.kind) == ("psyqa:7", "psyqa:7", "question")
    assert (record.title, record.text) == ("晚上睡不着怎么办？", "总是想着白天的事。")
    assert (record.topic, record.keywords) == ("情绪", ("情绪", "睡眠"))
    assert [answer.text for answer in record.answers] == ["先别急着睡着。", "可以写下来。"]
    assert [(s.start, s.end) for s in record.answers[0].spans] == [(0, 3), (3, 7)]
    assert [(s.start, s.end) for s in record.answers[1].spans] == [(0, 6)]  # given as length - 1
    assert not source.left_out


def test_spans_with_gaps_are_left_out_and_counted_and_the_answer_stays(tmp_path):
    answers = [
        labelled("先别急着睡着。", (0, 2), (3, 7)),
        labelled("可以写下来。", (1, 6)),
        labelled("好。", (0, 9)),
        labelled("先别急着睡着。", (0, 2), (2, 4), (4, 7)),
    ]
    (record,), source = read(write_array([whole(answers=answers)], tmp_path / "a"))
    assert [len(answer.spans) for answer in record.answers] == [0, 0, 0, 3]
    assert source.parts_left_out == {"spans_that_do_not_fit": 3}
    assert not source.left_out


def test_inclusive_ends_are_told_by_the_file_and_not_by_the_answer(tmp_path):
    answers = [
        labelled("先别急着睡着。", (0, 2), (3, 6)),
        labelled("可以写下来。", (0, 0), (1, 5)),
        labelled("好。", (0, 1)),  # alone, it could be either
        labelled("可以写下来。", (0, 3), (3, 5)),  # exclusive among inclusive ones: damaged
    ]
    (record,), source = read(write_array([whole(answers=answers)], tmp_path / "a"))
    assert source.facts["span_ends"] == "inclusive"
    assert [[(s.start, s.end) for s in answer.spans] for answer in record.answers] == [
        [(0, 3), (3, 7)],
        [(0, 1), (1, 6)],
        [(0, 2)],
        [],
    ]
    assert source.parts_left_out == {"spans_that_do_not_fit": 1}


def test_labels_that_are_announced_but_missing_are_counted(tmp_path):
    answers = [{"answer_text": "好。", "has_label": True, "labels_sequence": None}]
    _, source = read(write_array([whole(answers=answers)], tmp_path / "a"))
    assert source.parts_left_out == {"spans_announced_but_missing": 1}


def test_flattened_rows_of_one_question_become_one_record(tmp_path):
    row = {key: value for key, value in whole().items() if key != "answers"}
    rows = [
        row | {"answer": "先别急着睡着。", "label_sequence": [{"start": 0, "end": 7, "type": "Others"}]},
        row | {"answer": "可以写下来。", "label_sequence": [[0, 5, "Information"]]},
        row | {"questionID": 8, "answer": "好。", "label_sequence": None},
    ]
    for write in (write_array, write_lines):
        records, _ = read(write(rows, tmp_path / write.__name__))
        assert [(record.id, len(record.answers)) for record in records] == [("psyqa:7", 2), ("psyqa:8", 1)]
        assert records[0].answers[1].spans == (Span(start=0, end=6, type="Information"),)


def test_rows_without_a_number_are_told_apart_by_their_question(tmp_path):
    row = {"question": "晚上睡不着怎么办？", "answer": "先别急着睡着。"}
    records, _ = read(write_array([row, row | {"question": "早上起不来？"}], tmp_path / "a"))
    assert len({record.group for record in records}) == 2


def test_two_questions_of_one_number_keep_one_group_and_get_two_ids(tmp_path):
    records, _ = read(write_array([whole(), whole(question="另一个问题？")], tmp_path / "a"))
    assert [(record.id, record.group) for record in records] == [
        ("psyqa:7", "psyqa:7"),
        ("psyqa:7#2", "psyqa:7"),
    ]


def test_a_missing_answer_text_is_named_by_its_place(tmp_path):
    path = write_array([whole(), whole(answers=[{"has_label": False}])], tmp_path / "a")
    with pytest.raises(MalformedInput, match=r"record 2: answers\.0\.answer_text: field required"):
        read(path)


def test_an_empty_span_does_not_fit():
    spans = [Span(start=0, end=0, type="Others"), Span(start=0, end=7, type="Others")]
    assert exclusive_spans(spans, 7) is None


@given(lengths=st.lists(st.integers(1, 9), min_size=1), short=st.booleans())
def test_contiguous_spans_come_out_covering_the_text(lengths, short):
    edges = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    spans = [Span(start=a, end=b, type="Others") for a, b in pairwise(edges)]
    if short and lengths[-1] > 1:
        spans[-1] = spans[-1].model_copy(update={"end": edges[-1] - 1})
    found = exclusive_spans(spans, edges[-1])
    assert [(s.start, s.end) for s in found] == list(pairwise(edges))
