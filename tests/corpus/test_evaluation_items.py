import gzip
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from made_up import write_lines
from psyllm.core.errors import BadInput, MalformedInput, MissingFile, UnknownFormat
from psyllm.core.rated_answers import rated_prefix, write_rated
from psyllm.core.records import Record, write_records
from psyllm.corpus.evaluation_items import need_items, read_items, set_names
from rated import rated

ASKED = "我最近总是睡不着怎么办？"
SAID = "可以先说说最近发生了什么。"
SHAPES = {
    "psyqa": {"question": ASKED, "description": "", "answers": [{"answer_text": SAID}], "questionID": 3},
    "alpaca": {"instruction": ASKED, "input": "", "output": SAID},
    "sharegpt": {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": SAID}]},
    "messages": {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}]},
    "smilechat": {"id": "1", "dialog": [{"role": "client", "content": ASKED}, {"content": SAID}]},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["json", "jsonl", "jsonl.gz", "json.xz"])
def test_each_shape_opens_with_what_is_asked(tmp_path, shape, form):
    value = SHAPES[shape]
    text = json.dumps(
        [value, value] if form.startswith("json.") or form == "json" else value, ensure_ascii=False
    )
    raw = (text + "\n" + (text + "\n" if form.startswith("jsonl") else "")).encode()
    packed = gzip.compress(raw) if form.endswith("gz") else lzma.compress(raw) if form.endswith("xz") else raw
    (tmp_path / f"items.{form}").write_bytes(packed)
    items = list(read_items(tmp_path / f"items.{form}"))
    assert [item.opening for item in items] == [ASKED, ASKED]
    assert items[0].texts == (ASKED, SAID)


PROMPT = "你是一位温和的心理咨询师，请一步一步地回答来访者的问题。"
LONG = "我最近总是睡不着，躺下就想着白天的事情，怎么办？"
BEHIND_A_PROMPT = {
    "system turn": {
        "messages": [
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": LONG},
            {"role": "assistant", "content": SAID},
        ]
    },
    "system key": {"system": PROMPT, "conversations": [{"from": "human", "value": LONG}]},
    "instruction": {"instruction": PROMPT, "input": LONG, "output": SAID},
    "rounds": {"conversation": [{"system": PROMPT, "input": LONG, "output": SAID}]},
    "counsellor first": {"dialog": [{"speaker": "supporter", "content": PROMPT}, {"speaker": "seeker", "content": LONG}]},
    "short greeting": {"messages": [{"role": "user", "content": "您好老师您在吗"}, {"role": "user", "content": LONG}]},
    "no role": {"lines": [LONG, SAID]},
}  # fmt: skip


@pytest.mark.parametrize("shape", BEHIND_A_PROMPT)
def test_the_opening_is_what_the_visitor_asks_and_no_prompt_before_it(tmp_path, shape):
    value = BEHIND_A_PROMPT[shape]
    items = list(read_items(write_lines([value, value], tmp_path / "items.jsonl")))
    assert [item.opening for item in items] == [LONG, LONG]


WRAPPED = {
    "list": {"version": "1.0", "data": [SHAPES["psyqa"]] * 20},
    "described": {"说明": "这是一份用来评测的问题集", "data": [SHAPES["messages"]] * 20},
    "two lists": {"dev": [SHAPES["alpaca"]] * 5, "test": [SHAPES["sharegpt"]] * 15},
    "by key": {str(number): SHAPES["smilechat"] for number in range(20)},
    "list in an object": {"data": {"items": [SHAPES["psyqa"]] * 20}},
}


@pytest.mark.parametrize("shape", WRAPPED)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_lone_object_that_wraps_items_is_taken_out_of_its_wrapping(tmp_path, shape, indent):
    path = tmp_path / "items.json"
    path.write_text(json.dumps(WRAPPED[shape], ensure_ascii=False, indent=indent), "utf-8")
    assert [item.opening for item in read_items(path)] == [ASKED] * 20


KEYED_BY_QUESTION = {
    "to an answer": {LONG: SAID, "孩子上了初中以后不愿意和我说话怎么办": SAID, "失眠怎么办": SAID},
    "to an object": {LONG: {"答": SAID}, "孩子上了初中以后不愿意和我说话怎么办": {"答": SAID}, "失眠": {"答": SAID}},
}  # fmt: skip


@pytest.mark.parametrize("shape", KEYED_BY_QUESTION)
def test_questions_that_are_keys_are_asked(tmp_path, shape):
    value = KEYED_BY_QUESTION[shape]
    path = tmp_path / "items.json"
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    items = list(read_items(path))
    assert len(items) == 3
    assert (items[0].opening, items[0].texts) == (LONG, (LONG, SAID))
    lines = write_lines([{question: answer} for question, answer in value.items()] * 2, tmp_path / "x.jsonl")
    assert next(read_items(lines)) == items[0]


@pytest.mark.parametrize(("key", "count"), [("q", 1), ("问", 1), ("text", 3)])
def test_a_lone_question_with_answers_in_a_list_is_looked_for(tmp_path, key, count):
    (tmp_path / "item.jsonl").write_text(
        json.dumps({key: LONG, "answers": [{"text": SAID}, {"text": SAID}]}, ensure_ascii=False), "utf-8"
    )
    items = list(read_items(tmp_path / "item.jsonl"))
    assert len(items) == count
    assert LONG in {item.opening for item in items}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_lone_item_stays_one_item(tmp_path, shape):
    (tmp_path / "item.json").write_text(json.dumps(SHAPES[shape], ensure_ascii=False, indent=1), "utf-8")
    (item,) = read_items(tmp_path / "item.json")
    assert item.texts == (ASKED, SAID)


def test_a_folder_with_files_that_can_not_be_read_is_refused_and_papers_beside_items_are_not(tmp_path):
    write_lines([SHAPES["psyqa"]], tmp_path / "y.jsonl")
    for paper in ("README.md", "LICENSE", ".hidden"):
        (tmp_path / paper).write_text("x", "utf-8")
    assert len(list(read_items(tmp_path))) == 1
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.csv").write_text("x", "utf-8")
    with pytest.raises(UnknownFormat, match=r"1 files that can't be read as items: sub.x\.csv"):
        list(read_items(tmp_path))


def test_sets_of_one_name_are_told_apart_and_one_said_twice_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second, other = Path("ev1/test.jsonl"), tmp_path / "ev2" / "test.jsonl", Path("other.json")
    assert set_names([first, second, other, tmp_path / first]) == {
        "ev1/test.jsonl": first,
        "ev2/test.jsonl": second,
        "other.json": other,
    }


def test_a_line_that_breaks_off_is_named_by_its_number(tmp_path):
    path = write_lines([SHAPES["psyqa"]] * 100, tmp_path / "items.jsonl")
    with path.open("a", encoding="utf-8") as file:
        file.write('\n{"question": ')
    with pytest.raises(MalformedInput, match=r"not valid JSON \(line 102\)"):
        list(read_items(path))


def test_other_ends_of_lines_inside_a_text_break_no_line(tmp_path):
    path = write_lines([{"question": f"{ASKED}\u2028{SAID}"}] * 2, tmp_path / "items.jsonl")
    assert len(list(read_items(path))) == 2


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" + "9" * 5000 + "]"])
def test_json_that_no_program_takes_is_said_to_be_malformed(tmp_path, text):
    (tmp_path / "deep.json").write_text(text, "utf-8")
    with pytest.raises(MalformedInput):
        list(read_items(tmp_path / "deep.json"))


def test_damaged_bytes_in_a_packed_file_are_said(tmp_path):
    packed = bytearray(gzip.compress(json.dumps([SHAPES["psyqa"]] * 50).encode()))
    packed[12:20] = b"\xff" * 8
    (tmp_path / "items.json.gz").write_bytes(packed)
    with pytest.raises(MalformedInput, match="can't be read to its end"):
        list(read_items(tmp_path / "items.json.gz"))


def test_lines_of_text_records_and_whole_folders_are_items(tmp_path):
    (tmp_path / "a.txt").write_text(f"{ASKED}\n\n{SAID}\n", "utf-8")
    record = Record(id="a:1", kind="document", group="a", source="a", licence="x", title="题目", text=SAID)
    write_records([record, record], tmp_path, rows_per_file=1)
    items = list(read_items(tmp_path))
    assert [item.opening for item in items] == [ASKED, SAID, f"题目\n{SAID}", f"题目\n{SAID}"]


def test_rated_answers_of_a_corpus_are_items(tmp_path):
    row = rated(1, asked=ASKED, answer=SAID)
    write_rated([row], tmp_path, prefix=rated_prefix("test"))
    assert [tuple(item) for item in read_items(tmp_path)] == [(ASKED, (ASKED, SAID))]


OUR_FIELDS = {"id": "a:1", "kind": "question", "group": "a", "source": "a", "licence": "x"}


@pytest.mark.parametrize("beside", [{}, {"title": SAID}])
def test_records_with_columns_of_others_are_refused_and_no_text_goes_unlooked_for(tmp_path, beside):
    pq.write_table(
        pa.Table.from_pylist([{**OUR_FIELDS, **beside, "question": ASKED}]), tmp_path / "x.parquet"
    )
    with pytest.raises(UnknownFormat, match=r"no record of psyllm has: question$") as caught:
        list(read_items(tmp_path))
    assert "JSON Lines" in caught.value.next_step


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_record_without_any_text_is_refused_by_its_row(tmp_path, text):
    whole = Record(**OUR_FIELDS, title=ASKED)
    write_records([whole, whole.model_copy(update={"id": "a:2", "title": text})], tmp_path)
    with pytest.raises(UnknownFormat, match=r"without any text \(row 2\)$") as caught:
        list(read_items(tmp_path))
    assert "leave it out" in caught.value.next_step


def test_records_of_an_older_version_with_fewer_columns_are_items(tmp_path):
    pq.write_table(pa.Table.from_pylist([{**OUR_FIELDS, "title": ASKED}]), tmp_path / "x.parquet")
    assert [tuple(item) for item in read_items(tmp_path)] == [(ASKED, (ASKED,))]


def test_what_can_not_be_read_is_said(tmp_path):
    with pytest.raises(MissingFile, match="does not exist"):
        list(read_items(tmp_path / "none"))
    with pytest.raises(UnknownFormat, match="holds no Parquet"):
        list(read_items(tmp_path))
    (tmp_path / "broken.json").write_text('[{"a": ', "utf-8")
    with pytest.raises(MalformedInput, match="not valid JSON"):
        list(read_items(tmp_path / "broken.json"))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"{}")[:-4])
    with pytest.raises(MalformedInput, match="can't be read to its end"):
        list(read_items(tmp_path / "cut.jsonl.gz"))
    (tmp_path / "other.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnknownFormat, match="does not hold records"):
        list(read_items(tmp_path / "other.parquet"))
    with pytest.raises(BadInput, match="no text with Chinese"):
        need_items([], tmp_path)
