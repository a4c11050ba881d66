"""Splitting into sentences, whole and growing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.sentences import complete_prefix, ends_complete, split_sentences

CHINESE = st.text("我你好。！？…”“』）\n ,，a1?!", max_size=60)


@given(st.text() | CHINESE)
def test_sentences_join_back_to_the_text(text):
    pieces = split_sentences(text)
    assert "".join(pieces) == text
    assert all(pieces)


def test_closing_marks_and_white_space_stay_with_their_sentence():
    assert split_sentences("他说：“好。”\n然后呢？！没有了") == ["他说：“好。”\n", "然后呢？！", "没有了"]
    assert split_sentences("我……不知道，3.5分。") == ["我……不知道，3.5分。"]


@given(CHINESE, CHINESE)
def test_a_complete_prefix_is_never_taken_back_when_more_text_comes(text, more):
    assert complete_prefix(text + more).startswith(complete_prefix(text))
    assert text.startswith(complete_prefix(text))


@pytest.mark.parametrize(
    ("text", "growing", "final"),
    [
        ("好。", "", "好。"),
        ("好。你", "好。", "好。"),
        ("好", "", ""),
        ("他说“好。”走", "他说“好。”", "他说“好。”"),
        ("", "", ""),
    ],
)
def test_the_last_sentence_waits_until_something_follows_or_the_text_is_final(text, growing, final):
    assert complete_prefix(text) == growing
    assert complete_prefix(text, final=True) == final


def test_a_text_is_complete_after_an_end_mark_or_a_trailing_ellipsis():
    assert ends_complete("我在。")
    assert ends_complete("我在……")
    assert ends_complete("我在！”\n")
    assert not ends_complete("我在，")
    assert not ends_complete("")
