"""The table of patterns: each row finds what it must and leaves what it must."""

import time
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
from psyllm.text.pii import find_pii
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
    assert is_id_number("110105-1949，12/31-002X")
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


def numbers(text):
    return [text[hit.start : hit.end] for hit in pattern_hits(plain_form(text))]


@pytest.mark.parametrize(
    "text",
    [
        "心理援助热线12356，我家电话{0}",
        "心理援助热线12356，我家在北京，电话{0}",
        "心理援助热线12356，我妈妈的电话是{0}",
        "心理援助热线12356，家里{0}",
        "拨打热线后联系我：{0}",
        "客服让我留电话，我留了{0}",
        "我家电话{0}，心理援助热线12356",
        "家里 {0}，心理援助热线12356",
        "{0}是我家电话，心理援助热线是12356",
        "{0}是妈妈的，热线是12356",
    ],
)
def test_a_help_word_saves_no_number_that_somebody_calls_his_own(text):
    assert numbers(text.format("010-62345678")) == ["010-62345678"]


@pytest.mark.parametrize(
    "text",
    [
        "心理援助热线：{0}",
        "心理援助热线：021-54321234、{0}",
        "北京热线021-54321234，上海{0}",
        "我打了热线，他们让我打{0}",
        "危机干预热线，家里有孩子的可拨打{0}",
        "孩子妈妈可拨打热线{0}",
        "我们的热线，联系我们：{0}",
        "我的咨询师推荐{0}援助热线",
        "请打{0}，24小时援助热线",
        "热线：{0}（我家附近的医院）",
        "{0}，我家附近的援助中心",
        "热线：知心姐姐{0}",
        "援助热线12356，温暖之家{0}",
        "危机热线，广大朋友请打{0}",
    ],
)
def test_a_help_line_stays_whoever_is_named_around_it(text):
    assert numbers(text.format("010-62345678")) == []


def test_a_digit_beside_a_number_may_be_none():
    for text in ("①13800138000②13900139000", "唯一13800138000，第一13900139000一定"):
        assert numbers(text) == ["13800138000", "13900139000"]
    assert numbers("13800138000²") == ["13800138000"]


def test_numbers_typed_as_keys_are_found_whole():
    keys = "".join(f"{digit}\ufe0f\u20e3" for digit in "13800138000")
    assert numbers(f"打{keys}。") == [keys]


@pytest.mark.parametrize(
    ("stretch", "chars"),
    [("1", 80_000), ("a", 80_000), ("一", 80_000), ("我叫张晓雯，", 160_000), ("13800138000，", 320_000)],
)
def test_a_line_of_any_length_is_looked_at_in_linear_time(stretch, chars):
    text = "住3号，地址www/a，" + stretch * (chars // len(stretch))
    begun_s = time.process_time()
    find_pii(text)
    assert time.process_time() - begun_s < 10  # in quadratic time, each of these took half a minute or more


def test_lines_are_looked_at_alone():
    assert pattern_hits("我的手机\n138001\n38000") == []
    assert [hit.start for hit in pattern_hits("好的\n13800138000\n嗯\nQQ：123456789")] == [3, 20]
