"""The table of patterns: each row finds what it must and leaves what it must."""

import tomllib

import pytest

from psyllm.text.personal_patterns import TABLE as FILE
from psyllm.text.personal_patterns import (
    PiiKind,
    PiiSpan,
    is_card_number,
    is_id_number,
    load_table,
    pattern_hits,
)
from psyllm.text.plain_forms import plain_digits, plain_form

ROWS = tomllib.loads(FILE.read_text("utf-8"))["patterns"]
FINDS = [(row["id"], row["kind"], text, value) for row in ROWS for text, value in row["finds"]]
LEAVES = [(row["id"], text) for row in ROWS for text in row["leaves"]]


@pytest.mark.parametrize(("row", "kind", "text", "value"), FINDS)
def test_each_row_finds_what_it_says(row, kind, text, value):
    hits = pattern_hits(plain_form(text))
    assert [(hit.kind, text[hit.start : hit.end]) for hit in hits] == [(kind, value)]
    pattern = next(one.pattern for one in load_table().rows if one.id == row)
    assert pattern.search(plain_digits(plain_form(text))), "found by another row"


@pytest.mark.parametrize(("row", "text"), LEAVES)
def test_each_row_leaves_what_it_says(row, text):
    assert pattern_hits(plain_form(text)) == [], row


def test_rows_have_names_of_their_own_kinds_that_exist_and_both_sorts_of_examples():
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert {row["kind"] for row in ROWS} == set(PiiKind.__args__) - {"name"}
    assert all(row["finds"] and row["leaves"] for row in ROWS)


def test_check_digits():
    assert is_id_number("11010519491231002X")
    assert is_id_number("110105 19491231 002x")
    assert not is_id_number("110105194912310020")
    assert not is_id_number("110105194902300028")
    assert is_card_number("4111 1111 1111 1111")
    assert not is_card_number("4111111111111112")
    assert not is_card_number("0000")


def test_a_place_never_hides_a_word_of_harm():
    text = "想跳楼人民路12号3栋"
    (hit,) = pattern_hits(text)
    assert "跳楼" not in text[hit.start : hit.end]


def test_numbers_of_help_lines_stay_and_somebodys_own_beside_them_goes():
    for text in (
        "武汉心理危机干预热线027-85551234",
        "| 长沙 | [0731-8555-2999](tel:+8673185552999) |",
        "US Helpline 1-800-555-0199",
    ):
        assert pattern_hits(text) == [], text
    assert pattern_hits("我打了热线。家里021-54321234") == [PiiSpan("phone", 8, 20)]
    assert [hit.kind for hit in pattern_hits("热线占线，打我13800138000")] == ["phone"]


def test_lines_are_looked_at_alone():
    assert pattern_hits("我的手机\n138001\n38000") == []
    assert [hit.start for hit in pattern_hits("好的\n13800138000\n嗯\nQQ：123456789")] == [3, 20]
