import gzip
import json
import shutil

import pytest

from made_up import dialogues, write_lines
from psyllm.collect.formats import known_forms, recognise
from psyllm.collect.source import Source
from psyllm.core.errors import BadInput, MalformedInput, UnknownFormat
from psyllm.core.starter import STARTER


def test_names_say_nothing(tmp_path):
    path = write_lines(dialogues(1), tmp_path / "looks-like.md")
    assert recognise(path).name == "dialogues as JSON"


def test_a_readme_does_not_turn_dialogues_into_markdown(tmp_path):
    (tmp_path / "README.md").write_text("# 数据\n说明\n", "utf-8")
    for number in range(2):
        (tmp_path / f"x{number}").write_text("来访者：甲\n心理咨询师：乙", "utf-8")
    assert recognise(tmp_path).name == "dialogue text files"


def test_a_first_line_longer_than_the_head_is_read_whole(tmp_path):
    path = write_lines(dialogues(2, turns=2000), tmp_path / "a")
    assert recognise(path).name == "dialogues as JSON"


def test_the_starter_s_form_is_known_and_takes_what_is_said_of_the_source(tmp_path):
    copy = shutil.copy(STARTER, tmp_path / "copy")
    form = recognise(copy)
    assert form.name == "starter corpus"
    records = list(form.read(copy, Source("mine", "MIT", may_show=False)))
    assert {(record.source, record.licence, record.may_show) for record in records} == {
        ("mine", "MIT", False)
    }


def test_a_starter_that_lacks_a_field_is_malformed(tmp_path):
    content = json.loads(STARTER.read_text("utf-8"))
    del content["questions"][3]["answers"]
    path = tmp_path / "a"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(MalformedInput, match="lacks a field"):
        list(recognise(path).read(path, Source("mine", "MIT")))


def test_an_object_that_breaks_is_named_by_line_and_column(tmp_path):
    path = tmp_path / "a"
    path.write_text('{\n "licence": "x",\n "questions": [秘密]}', "utf-8")
    with pytest.raises(MalformedInput, match="is not valid JSON: line 3, column 16"):
        recognise(path)


@pytest.mark.parametrize("content", ["只是一段话。", "[1, 2]", '{"a": 1}\n{"a": 2}'])
def test_text_of_no_known_form_is_refused(tmp_path, content):
    path = tmp_path / "a"
    path.write_text(content, "utf-8")
    with pytest.raises(UnknownFormat) as caught:
        recognise(path)
    assert "known are" in caught.value.next_step


def test_a_folder_of_packed_files_is_read_and_what_is_no_data_counted(tmp_path):
    (tmp_path / "LICENSE").write_text("Do what you like.", encoding="utf-8")
    (tmp_path / "README.md").write_text("# 数据\n说明\n", "utf-8")
    line = '{"id": 1, "dialog": [{"role": "client", "content": "你好"}]}\n'.encode()
    (tmp_path / "some talks.jsonl.gz").write_bytes(gzip.compress(line))
    (tmp_path / "more.jsonl").write_bytes(line)
    form = recognise(tmp_path)
    assert form.name == "files of data"
    source = Source("talks", "MIT")
    ids = [record.id for record in form.read(tmp_path, source)]
    assert ids == ["talks:more.jsonl/1", "talks:some talks.jsonl.gz/1"]
    assert (source.read, source.left_out) == (4, {"file_is_no_data": 2})


@pytest.mark.parametrize(
    ("first", "damaged"),
    [
        (
            "来访者：你好\n心理咨询师：你好".encode(),
            "来访者：我睡不着，怎么办？\n心理咨询师：".encode() + b"\xff\xff",
        ),
        (b'{"id": 1, "dialog": []}\n', b'{"id": 1, "dialog": [}\n'),
        (b'{"id": 1, "dialog": []}\n', gzip.compress(b"{}\n" * 1000)[:-9]),
    ],
    ids=["text", "data", "packed"],
)
def test_an_error_names_no_file_that_may_name_somebody(tmp_path, first, damaged):
    (tmp_path / "a1").write_bytes(first)
    (tmp_path / "a2").write_bytes(first)
    (tmp_path / "王小明-13800138000.txt").write_bytes(damaged)
    with pytest.raises(BadInput) as caught:
        list(recognise(tmp_path).read(tmp_path, Source("a", "MIT")))
    told = f"{caught.value.message} {caught.value.next_step}"
    assert f"{tmp_path}, file 3" in told
    assert "王小明" not in told
    assert "13800138000" not in told


@pytest.mark.parametrize(
    "form",
    [form for form in known_forms() if form.name not in {"psyllm", "WARC", "HTML"}],  # more than one example
    ids=lambda form: form.name,
)
def test_the_example_of_every_known_form_is_recognised(tmp_path, form):
    path = tmp_path / "a"
    path.write_text(form.example, "utf-8")
    names = {
        "PsyQA": "PsyQA JSON",
        "SmileChat": "dialogues as JSON",
        "messages": "chats as JSON (messages or ShareGPT)",
        "ShareGPT": "chats as JSON (messages or ShareGPT)",
        "EmoLLM": "chats as JSON (EmoLLM)",
        "alpaca": "alpaca JSON",
        "ChatML": "ChatML text",
        "CPsyCoun": "dialogue text files",
        "Markdown": "Markdown files",
        "table": "CSV table",
    }
    found = recognise(path)
    assert found.name == names[form.name]
    assert len(list(found.read(path, Source("a", "MIT")))) == 1
