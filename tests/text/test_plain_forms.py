"""Copies for looking, of the same length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.personal_patterns import load_table
from psyllm.text.plain_forms import plain_digits, plain_form


def test_traditional_and_wide_characters_become_plain_ones():
    assert plain_form("電話１３８ＡＢ\uff20，（好）") == "电话138AB@，（好）"
    assert plain_digits("一三八零〇幺") == "138001"


def test_digits_of_other_scripts_and_styles_are_digits_wherever_they_stand():
    assert plain_form("\U0001d7cf\U0001d7d1\U0001d7d6 ١٣٨ \uff11\uff13\uff18 \U0001d7ce") == "138 138 138 0"


@pytest.mark.parametrize(
    "number",
    ["①③⑧⓪⓪①③", "⑴⑶⑻⑵⑵⑴⑶", "➊➌➑⓿⓿➊➌", "⒈⒊⒏00⒈⒊", "¹³⁸⁰⁰¹³", "壹叁捌零零壹叁", "1③八⓪0壹三", "㊀㊂㊇〇〇㈠㈢"],
)
def test_what_numbers_a_list_or_fills_a_cheque_is_a_digit_among_digits(number):
    read = plain_digits(plain_form(number))
    assert read == ("1382213" if "⑵" in number else "1380013")
    assert load_table().gates["any"].search(plain_form(number)), "no gate opens for it"


def test_what_numbers_a_list_is_none_where_few_stand_together():
    for text in ("①吃药②睡觉", "100m²", "大陆", "⒈2019", "退伍2年"):
        assert plain_digits(plain_form(text)) == text


def test_a_dash_written_as_a_one_stays_between_two_sums():
    assert plain_digits("13800一13900") == "13800-13900"
    assert plain_digits("13800.5一3500元") == "13800.5-3500元"


@given(st.text() | st.text(alphabet="電話１３零一ＡＢ。\n①⒈²壹陆\U0001d7cf٣13， "))
def test_the_length_never_changes_and_a_plain_text_stays(text):
    plain = plain_digits(plain_form(text))
    assert len(plain) == len(text)
    assert plain_digits(plain_form(plain)) == plain
