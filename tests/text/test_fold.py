"""The fold that is kept and the fold that is thrown away."""

import re
import tomllib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.fold import DISGUISES, clean_text, screening_fold
from slow_screening import slow_clean_text

ODD = st.text(
    "我自杀死想不活，。！（）\uff21\uff22\uff11\uff41e\u0301\u200b\u200d👍\u3000 \t\r\n\u0338=\uff5as4.-*遺書\x00\u1100\u1161",
    max_size=40,
)
ROWS = tomllib.loads(DISGUISES.read_text("utf-8"))["disguises"]


def test_cleaning_keeps_chinese_punctuation_and_narrows_letters_and_digits():
    assert (
        clean_text("你好，真的！（\uff21\uff22\uff23\uff11\uff12\uff13）：；？～").text
        == "你好，真的！（ABC123）：；？～"
    )


def test_cleaning_puts_spaces_breaks_and_invisible_characters_in_order():
    assert clean_text(" 我\u3000\u00a0很\r\n\u2028\r\n好\u200b吗\x00\ud83d？\t ").text == "我 很\n\n好吗？"
    assert clean_text("a\r\nb").text == "a\nb"


def test_cleaning_composes_and_leaves_a_joined_emoji_whole():
    assert clean_text("e\u0301\u200d").text == "é"
    assert clean_text("👨\u200d👩\u200d👧").text == "👨\u200d👩\u200d👧"


def test_a_joiner_after_a_sign_that_is_still_to_be_composed_is_judged_by_the_sign():
    once = clean_text("=\u0338\u200dx").text
    assert once == clean_text(once).text == "≠\u200dx"


@given(st.text() | ODD | st.text("我你。， \n\u200d\u3000a\uff21👍", max_size=12))
def test_the_short_way_for_a_tidy_text_gives_what_the_long_way_gives(text):
    for written in (text, slow_clean_text(text).text):
        assert clean_text(written) == slow_clean_text(written)


@given(st.text() | ODD)
def test_cleaning_twice_changes_nothing_more_and_gives_encodable_nfc(text):
    once = clean_text(text).text
    assert clean_text(once).text == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode()


def test_marks_that_change_places_leave_the_character_before_them_where_it_was():
    cleaned = clean_text("杀\u0301\u0338")
    assert cleaned.text == "杀\u0338\u0301"
    assert cleaned.offsets.span(0, 1) == (0, 1)


@given(ODD, st.data())
def test_spans_of_untouched_characters_follow_the_cleaning(text, data):
    cleaned = clean_text(text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    span = cleaned.offsets.span(start, end)
    if span is not None:
        assert 0 <= span[0] < span[1] <= len(cleaned.text)
    for at, character in enumerate(text):
        if character in "自杀，。！":
            new = cleaned.offsets.span(at, at + 1)
            assert new is not None
            assert cleaned.text[new[0] : new[1]] == character


@given(st.text(max_size=60) | ODD)
def test_every_place_of_the_screening_copy_leads_back_into_the_text(text):
    folded = screening_fold(text)
    for at in range(len(folded.text)):
        start, end = folded.offsets.old_span(at, at + 1)
        assert 0 <= start < end <= len(text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("我 不 想 活 了", "我不想活了"),
        ("我不.想.活着", "我不想活着"),
        ("自\u200b杀", "自杀"),
        ("自-*-杀", "自杀"),
        ("自，杀", "自杀"),
        ("自\u0336杀", "自杀"),
        ("Ⓩ\uff53", "自杀"),
        ("我想zìshā", "我想自杀"),
        ("遺 書", "遗书"),
        ("我不想活著了", "我不想活着了"),
        ("唔想生", "唔想生"),
        ("很痛苦！真的", "很痛苦!真的"),
    ],
)
def test_hidden_words_are_written_out(written, read):
    assert screening_fold(written).text == read


def test_an_ordinary_space_between_words_stays_a_border():
    assert screening_fold("今天好累 不想说话 先睡了").text == "今天好累 不想说话 先睡了"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_disguise_row_reads_its_examples_and_leaves_the_others(row):
    assert row["must_match"]
    assert row["must_not_match"]
    for text in row["must_match"]:
        assert row["means"] in screening_fold(text).text
        assert row["means"] not in text
    for text in row["must_not_match"]:
        assert not re.search(row["pattern"], text.lower())
        assert row["means"] not in screening_fold(text).text.replace(text, "")
