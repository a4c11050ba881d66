"""Copies for looking, of the same length."""

from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.plain_forms import plain_digits, plain_form


def test_traditional_and_wide_characters_become_plain_ones():
    assert plain_form("電話１３８ＡＢ\uff20，（好）") == "电话138AB@，（好）"
    assert plain_digits("一三八零〇幺") == "138001"


@given(st.text() | st.text(alphabet="電話１３零一ＡＢ。\n"))
def test_the_length_never_changes_and_a_plain_text_stays(text):
    plain = plain_digits(plain_form(text))
    assert len(plain) == len(text)
    assert plain_digits(plain_form(plain)) == plain
