"""Counting and keeping Chinese characters."""

from psyllm.text.han import han_count, han_only, han_share, han_share_of_letters, is_han, letter_count


def test_counts_rare_and_compatibility_characters_but_no_punctuation_or_kana():
    assert han_count("我〇𠀀，。あ１a!") == 3


def test_share_leaves_white_space_out_of_the_count():
    assert han_share("你好 ab\n") == 0.5
    assert han_share("") == 0.0
    assert han_share(" \n") == 0.0


def test_share_of_letters_leaves_out_all_that_is_no_letter():
    assert letter_count("我 a1_，。あ〇!") == 4
    assert han_share_of_letters("我最近 feel 很难过") == 0.6
    assert han_share_of_letters("我2026年！ab") == 0.5
    assert han_share_of_letters("???123") == 1.0


def test_only_the_chinese_is_kept_in_order():
    assert han_only("a我1 很，好。") == "我很好"
    assert is_han("我")
    assert not is_han("，")
