import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect import json_items
from psyllm.collect.encodings import Decoding
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput, WrongEncoding

objects = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.integers(-(2**40), 2**40) | st.text(st.characters(exclude_categories=["Cs"])),
    max_size=4,
)


@given(
    values=st.lists(objects),
    indent=st.none() | st.integers(0, 3),
    block=st.integers(1, 60),
    escaped=st.booleans(),
)
def test_an_array_read_in_any_blocks_gives_its_objects(tmp_path_factory, values, indent, block, escaped):
    path = tmp_path_factory.mktemp("array") / "a.json"
    path.write_text(json.dumps(values, indent=indent, ensure_ascii=escaped), "utf-8")
    before = json_items.BLOCK_CHARS
    json_items.BLOCK_CHARS = block
    try:
        assert [item.value for item in json_items.array(path)] == values
    finally:
        json_items.BLOCK_CHARS = before


@given(cut=st.integers(1, 400))
def test_an_array_that_breaks_off_anywhere_is_malformed(tmp_path_factory, cut):
    whole = json.dumps([{"a": "文字" * 9, "n": number} for number in range(5)], ensure_ascii=False)
    path = tmp_path_factory.mktemp("array") / "a.json"
    path.write_text(whole[: -min(cut, len(whole) - 1)], "utf-8")
    with pytest.raises(MalformedInput, match=r"record \d|breaks off"):
        list(json_items.array(path))


def test_a_broken_record_is_named_by_its_number(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1}, {"a": 2}, {"a": 秘密}, {"a": 4}]' + " " * 99, "utf-8")
    items = json_items.array(path)
    assert [next(items).value, next(items).value] == [{"a": 1}, {"a": 2}]
    with pytest.raises(MalformedInput, match=r"record 3 is not valid JSON \(6 characters after its start\)"):
        next(items)


def test_a_missing_comma_is_named_by_the_record_before_it(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1} {"a": 2}]', "utf-8")
    with pytest.raises(MalformedInput, match="there is no comma or ] after record 1"):
        list(json_items.array(path))


def test_half_a_character_pair_is_malformed_and_not_passed_on(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"a": "\\ud83d"}]', "utf-8")
    with pytest.raises(MalformedInput, match="record 1"):
        list(json_items.array(path))


def test_empty_lines_and_a_byte_order_mark_are_passed_over(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n  \n{"a": 2}')
    assert [(item.value, item.where) for item in json_items.lines(path)] == [
        ({"a": 1}, "line 1"),
        ({"a": 2}, "line 4"),
    ]


def test_a_line_in_gbk_far_down_is_told_from_a_damaged_one(tmp_path):
    path = tmp_path / "a.jsonl"
    good = '{"a": "我最近总是睡不着"}\n'.encode()
    path.write_bytes(good * 3 + '{"a": "我最近总是睡不着"}\n'.encode("gbk"))
    with pytest.raises(WrongEncoding, match=rf"is UTF-8, but byte {len(good) * 3 + 7} \(line 4\) is not"):
        list(json_items.lines(path))
    path.write_bytes(good * 3 + good[:31] + b"\xff" + good[31:])
    with pytest.raises(WrongEncoding, match=rf"is UTF-8, but byte {len(good) * 3 + 31} \(line 4\) is not"):
        list(json_items.lines(path))


def test_where_damage_is_left_out_the_other_lines_stay(tmp_path):
    path = tmp_path / "a.jsonl"
    good = '{"a": "我最近总是睡不着"}\n'.encode()
    path.write_bytes(good + good[:10] + b"\xff" + good[11:] + good[:-3] + b"\xff\n" + good)
    source = Source("a", "MIT", decoding=Decoding(damaged="leave_out"))
    kept = list(json_items.whole_items(json_items.lines(path, source.decoding), source))
    assert [item.where for item in kept] == ["line 1", "line 4"]
    assert {item.value["a"] for item in kept} == {"我最近总是睡不着"}
    assert (source.read, source.left_out) == (4, {"damaged_text": 2})


def test_what_follows_an_array_is_never_lost_in_silence(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1}]\n[{"a": 2}]', "utf-8")
    with pytest.raises(MalformedInput, match="more text behind the array's end, after record 1"):
        list(json_items.array(path))


def test_a_record_of_50_mb_is_read_from_an_array_and_from_a_line(tmp_path):
    text = "心情" * (50_000_000 // 6)
    path = tmp_path / "a"
    path.write_text(json.dumps([{"a": text}, {"a": "短"}], ensure_ascii=False), "utf-8")
    assert [len(item.value["a"]) for item in json_items.array(path)] == [len(text), 1]
    path.write_text(json.dumps({"a": text}, ensure_ascii=False) + '\n{"a": "短"}\n', "utf-8")
    assert [len(item.value["a"]) for item in json_items.lines(path)] == [len(text), 1]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(json_items, "MOST_LINE_BYTES", 1000)
    path = tmp_path / "a"
    path.write_text('{"a": 1}\n{"a": "' + "长" * 999 + '"}', "utf-8")
    with pytest.raises(MalformedInput, match="line 2 is larger than one record can be"):
        list(json_items.lines(path))


def test_a_large_array_does_not_fill_the_memory(tmp_path):
    chance = random.Random(1)
    path = tmp_path / "a.json"
    record = json.dumps({"a": "".join(chance.choice("文字心情") for _ in range(2000))})
    path.write_text("[" + ",".join([record] * 800) + "]", "utf-8")  # 9.6 million characters
    items = json_items.array(path)
    longest = 0
    for item in items:
        assert len(item.value["a"]) == 2000
        longest = max(longest, len(items.gi_frame.f_locals["rest"]._buffer) if items.gi_frame else 0)
    assert 0 < longest < 2 * json_items.BLOCK_CHARS


def test_a_record_nested_too_deeply_is_malformed(tmp_path):
    path = tmp_path / "a"
    for text in ("[" * 200_000, '{"a": ' * 200_000):
        path.write_text(text, "utf-8")
        read = json_items.array if text.startswith("[") else json_items.lines
        with pytest.raises(MalformedInput, match=r"(record|line) 1 is"):
            list(read(path))
