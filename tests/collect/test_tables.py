import csv
import tomllib
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from made_up import write_lines
from psyllm.collect import tables
from psyllm.collect.formats import recognise
from psyllm.collect.source import Source
from psyllm.core.collect_settings import ColumnSettings
from psyllm.core.errors import MalformedInput, UnknownFormat, WrongEncoding
from psyllm.core.records import Answer, Record, write_records

HEADER = ("问题", "回答", "关键词")
ROWS = [
    ("我睡不着，怎么办？", "先说说\n发生了什么。", "睡眠,情绪"),
    ("我睡不着，怎么办？", "多久了？", "睡眠,情绪"),
    ("和妈妈吵架了。", "你很难过。", ""),
]


def write_csv(path, rows, delimiter=",", encoding="utf-8"):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def write_xlsx(path, rows, more=()):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for sheet in more:
        added = book.create_sheet()
        for row in sheet:
            added.append(row)
    book.save(path)
    return path


def write_parquet(path, rows):
    names, *values = rows
    pq.write_table(pa.table(dict(zip(names, zip(*values, strict=True), strict=True))), path)
    return path


def write_objects(path, rows):
    names, *values = rows
    return write_lines([dict(zip(names, row, strict=True)) for row in values], path)


def read(path, name="table", **said):
    source = Source(name, "MIT")
    form = recognise(path, columns=ColumnSettings(**said))
    return list(form.read(path, source)), source


def is_accounted_for(records, source):
    return source.read == len(records) + source.left_out.total() + source.joined


@pytest.mark.parametrize("write", [write_csv, write_xlsx, write_parquet, write_objects])
def test_rows_of_a_table_in_any_file_become_questions(tmp_path, write):
    records, source = read(write(tmp_path / "no-suffix", [HEADER, *ROWS, ("", "", ""), ("只有问题", "", "")]))
    assert [record.title for record in records] == ["我睡不着，怎么办？", "和妈妈吵架了。"]
    assert [[answer.text for answer in record.answers] for record in records] == [
        ["先说说\n发生了什么。", "多久了？"],
        ["你很难过。"],
    ]
    assert (records[0].topic, records[0].keywords) == ("睡眠", ("睡眠", "情绪"))
    empty = 0 if write is write_xlsx else 1  # a workbook's empty row is no row
    assert source.left_out.total() == 1 + empty
    assert source.left_out["row_without_answer"] == 1
    assert (source.read, source.joined) == (4 + empty, 1)
    assert is_accounted_for(records, source)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_delimiter_and_encoding_are_found(tmp_path, delimiter, encoding):
    records, _ = read(write_csv(tmp_path / "a", [HEADER, *ROWS * 3], delimiter, encoding))
    assert [record.title for record in records[:2]] == ["我睡不着，怎么办？", "和妈妈吵架了。"]


def test_articles_keep_title_address_and_date_and_lose_their_author(tmp_path):
    rows = [
        ("标题", "正文", "作者", "链接", "日期"),
        ("睡眠", "早点睡。", "王某", "https://a.example/1", "2026-01-02"),
    ]
    (record,), source = read(write_csv(tmp_path / "a", rows))
    assert (record.kind, record.title, record.text) == ("document", "睡眠", "早点睡。")
    assert (record.url, record.written_at) == ("https://a.example/1", "2026-01-02")
    assert "王某" not in record.model_dump_json()
    assert source.facts == {"columns_without_use": "作者"}


def test_a_title_beside_a_question_makes_the_question_the_details(tmp_path):
    rows = [("title", "question", "answer"), ("睡不着", "三周了，怎么办？", "多说说。")]
    (record,), _ = read(write_csv(tmp_path / "a", rows))
    assert (record.title, record.text) == ("睡不着", "三周了，怎么办？")


def test_a_title_alone_beside_an_answer_is_the_question(tmp_path):
    (record,), _ = read(write_csv(tmp_path / "a", [("title", "answer"), ("睡不着", "多说说。")]))
    assert (record.kind, record.title) == ("question", "睡不着")


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_unclear_columns_are_listed_and_can_be_named(tmp_path, write):
    rows = [("甲列", "乙列"), *[(f"问{n}", f"答{n}") for n in range(3)]]
    path = write(tmp_path / "a", rows)
    with pytest.raises(UnknownFormat, match="Its columns: 2, none with a usual name") as caught:
        read(path)
    assert "--set collect.columns.question=NAME" in caught.value.next_step
    records, _ = read(path, question="甲列", answer="乙列")
    assert [record.title for record in records] == ["问0", "问1", "问2"]


def test_named_fields_of_objects_go_before_every_known_form(tmp_path):
    path = write_lines([{"question": "提示", "answer": "我睡不着。", "reply": "多久了？"}], tmp_path / "a")
    (record,), _ = read(path, question="answer", answer="reply")
    assert (record.title, record.answers[0].text) == ("我睡不着。", "多久了？")


def test_words_of_a_table_without_a_header_are_never_shown(tmp_path):
    path = write_csv(tmp_path / "a", [("我睡不着，怎么办？", "多久了？")] * 4)
    with pytest.raises(UnknownFormat, match="2, none with a usual name") as caught:
        read(path)
    assert "睡不着" not in str(caught.value)


@pytest.mark.parametrize(
    "first",
    [
        "13800138000,张三丰,我想自杀怎么办",
        "x13800138000,Zhang San,title",
        "zhangsanfeng,iwanttodie,chaoyangdistrict",
    ],
)
def test_only_names_that_are_nobody_s_words_are_shown(tmp_path, first):
    path = tmp_path / "a"
    path.write_text(f"{first}\n甲,乙,丙\n丁,戊,己\n", "utf-8")
    with pytest.raises(UnknownFormat, match="Its columns: ") as caught:
        read(path)
    assert not any(cell in str(caught.value) for cell in first.split(",") if cell != "title")
    write_lines([{"张三 13800138000": "我想死", "李四": "", "iwanttodie": "", "label": ""}], path)
    with pytest.raises(UnknownFormat, match="has the fields label and 3 more, which"):
        read(path)


def test_columns_without_use_are_named_only_by_usual_names(tmp_path):
    rows = [("问题", "回答", "王小明的妈妈", "备注"), ("我睡不着。", "多久了？", "", "")]
    _, source = read(write_csv(tmp_path / "a", rows))
    assert source.facts == {"columns_without_use": "备注 and 1 more"}


def test_a_row_of_another_width_is_left_out_and_counted(tmp_path):
    path = tmp_path / "a"
    path.write_text("问题,回答\n甲,乙\n甲,乙,丙\n甲\n\n丁,戊,\n", "utf-8")
    records, source = read(path)
    assert [record.title for record in records] == ["甲", "丁"]
    assert source.left_out == {"row_of_other_width": 2}
    assert is_accounted_for(records, source)


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_two_columns_of_one_name_are_refused_where_they_are_read(tmp_path, write):
    path = write(tmp_path / "a", [("问题", "回答", "回答"), *[("甲", "乙", "丙")] * 2])
    with pytest.raises(MalformedInput, match="has 2 columns of one name that hold the answer"):
        read(path)
    records, _ = read(write(tmp_path / "b", [("问题", "回答", "备注", "备注"), ("甲", "乙", "丙", "丁")]))
    assert [record.title for record in records] == ["甲"]


def test_a_workbook_s_cells_beyond_its_header_leave_the_row_out(tmp_path):
    path = write_xlsx(tmp_path / "a", [HEADER, ("甲", "乙", "", "丙"), ("丁", "戊")])
    records, source = read(path)
    assert [record.title for record in records] == ["丁"]
    assert source.left_out == {"row_of_other_width": 1}
    assert is_accounted_for(records, source)


def test_a_workbook_whose_sheet_breaks_off_is_malformed(tmp_path):
    whole = write_xlsx(tmp_path / "whole", [HEADER, *ROWS * 9])
    path = tmp_path / "a"
    for share in (0.2, 0.9):
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                raw = old.read(name)
                new.writestr(name, raw[: int(len(raw) * share)] if "sheet1" in name else raw)
        with pytest.raises(MalformedInput, match="is no whole workbook"):
            read(path)


def test_a_quote_that_is_never_closed_is_malformed_and_takes_no_rows_with_it(tmp_path):
    path = tmp_path / "a"
    path.write_text("问题,回答\n" + "甲,乙\n" * 30 + '"甲,乙\n' + '甲,"乙"\n' * 3, "utf-8")
    with pytest.raises(MalformedInput, match=r"line \d+: a quote is not closed"):
        read(path)


def rewritten(path, change):
    """Change the first sheet's XML in place."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, change(part) if name.endswith("sheet1.xml") else part)
    return path


def test_a_sheet_s_rows_are_read_whatever_size_it_says(tmp_path):
    path = write_xlsx(tmp_path / "a", [HEADER, *[(f"问{n}", f"答{n}", "") for n in range(99)]])
    small = rewritten(path, lambda part: part.replace(b'ref="A1:C100"', b'ref="A1:A10"'))
    assert b'ref="A1:A10"' in small.read_bytes()
    records, source = read(small)
    assert (len(records), source.read) == (99, 99)


def test_a_workbook_with_a_flipped_bit_is_malformed(tmp_path):
    path = write_xlsx(tmp_path / "a", [HEADER, *[(f"问{n}", f"答{n}", "") for n in range(99)]])
    raw = rewritten(path, lambda part: part).read_bytes()
    path.write_bytes(raw.replace(b'<row r="17"', b'<row r="18"', 1))
    with pytest.raises(MalformedInput, match="damaged"):
        read(path)


def test_every_sheet_with_the_columns_is_read_and_others_are_counted(tmp_path):
    path = write_xlsx(tmp_path / "a", [HEADER, *ROWS], more=[[("说明",), ("无",)], [], [HEADER, ROWS[2]]])
    records, source = read(path)
    assert (len(records), source.read, source.joined) == (2, 4, 2)
    assert source.parts_left_out == {"sheet_of_other_columns": 1}


def test_a_damaged_workbook_and_another_office_file_are_told(tmp_path):
    path = tmp_path / "a"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("word/document.xml", "<x/>")
    with pytest.raises(UnknownFormat, match="no Excel workbook"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(MalformedInput, match="no whole workbook"):
        read(path)


def test_our_own_records_come_back_as_they_were_and_no_permission_is_widened(tmp_path):
    record = Record(
        id="a:1", kind="question", group="a:g", source="a", licence="x", title="问", may_train=False,
        answers=(Answer(text="答", votes=3),), flags=("minor",), url="https://a.example",
    )  # fmt: skip
    write_records([record], tmp_path)
    (back,), source = read(tmp_path / "part-00000.parquet", "b")
    said = {"id": "b:a:1", "group": "b:a:g", "source": "b", "licence": "MIT"}
    assert back == record.model_copy(update=said)
    assert is_accounted_for([back], source)


def test_a_row_that_is_no_record_of_ours_is_malformed(tmp_path):
    names = ("id", "kind", "group", "source", "licence")
    path = write_parquet(tmp_path / "a", [names, ("a:1", "秘密", "g", "a", "x")])
    with pytest.raises(MalformedInput, match="row 1: kind is not as in a record") as caught:
        read(path)
    assert "秘密" not in str(caught.value)


def test_chats_in_parquet_are_read_as_chats(tmp_path):
    talk = [{"role": "user", "content": "甲"}, {"role": "assistant", "content": "乙"}]
    pq.write_table(pa.table({"messages": [talk, talk]}), tmp_path / "a")
    records, source = read(tmp_path / "a")
    assert [[turn.text for turn in record.turns] for record in records] == [["甲", "乙"]] * 2
    assert is_accounted_for(records, source)


def test_a_parquet_file_that_breaks_off_is_malformed(tmp_path):
    path = write_parquet(tmp_path / "a", [HEADER, *ROWS])
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(MalformedInput, match="its Parquet data can't be read"):
        read(path)


def test_a_parquet_file_with_texts_that_are_no_utf8_is_told(tmp_path):
    path = tmp_path / "a"
    texts = pa.array(["甲".encode("gb18030")] * 3, pa.binary()).cast(pa.large_binary())
    bad = pa.Array.from_buffers(pa.large_string(), 3, texts.buffers())
    pq.write_table(pa.table({"问题": bad, "回答": bad}), path)
    with pytest.raises(WrongEncoding, match="a text in it is not UTF-8"):
        read(path)


def test_the_table_of_headers_names_settings_that_exist_and_no_header_twice():
    whole = tomllib.loads((Path(tables.__file__).parent / "columns.toml").read_text("utf-8"))
    table = whole["field"]
    assert {field["name"] for field in table} == set(ColumnSettings.model_fields)
    headers = [header for field in [*table, whole["without_use"]] for header in field["headers"]]
    assert len(headers) == len(set(headers))
    assert all(
        field["source"] and header == header.strip().lower() for field in table for header in field["headers"]
    )
