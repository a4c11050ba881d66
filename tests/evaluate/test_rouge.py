"""ROUGE-L against numbers worked by hand, a public implementation and its properties."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_chinese import Rouge

from psyllm.evaluate.rouge import best_rouge_l, rouge_l
from psyllm.evaluate.units import split_units

CHINESE = st.text(alphabet="我你他很难过睡不着想和人说话，。", min_size=1, max_size=60)
ANY_TEXT = st.text(max_size=80)


def test_a_hand_worked_pair():
    # 我今天很难过 / 我很难受: the common subsequence is 我很难, so P = 3/6, R = 3/4, F1 = 6/10.
    assert rouge_l("我今天很难过", "我很难受") == pytest.approx(0.6)


def test_words_are_cut_by_the_dictionary():
    # 我 今天 难过 / 我 昨天 难过: 2 of 3 words on both sides.
    assert split_units("我今天难过", "words") == ["我", "今天", "难过"]
    assert best_rouge_l("我今天难过", ["我昨天难过"], unit="words") == pytest.approx(2 / 3)


def test_white_space_never_counts():
    assert best_rouge_l("我 很\n难过", ["我很难过"], unit="chars") == 1
    assert split_units(" \n\u3000", "words") == []


def test_the_best_of_several_references_counts():
    assert best_rouge_l("我很难过", ["天气", "我很难过", "我"], unit="chars") == 1


def test_without_references_there_is_nothing_to_share():
    assert best_rouge_l("我很难过", [], unit="chars") == 0


@pytest.mark.parametrize("reference", ["我很难过", ""])
def test_an_empty_answer_scores_nothing(reference):
    assert best_rouge_l("", [reference], unit="chars") == 0
    assert best_rouge_l("", [reference], unit="words") == 0


@settings(deadline=None)
@given(CHINESE, CHINESE)
def test_it_equals_rouge_chinese_on_characters(answer, reference):
    peer = Rouge(metrics=["rouge-l"]).get_scores(" ".join(answer), " ".join(reference))[0]["rouge-l"]["f"]
    assert rouge_l(answer, reference) == pytest.approx(peer, abs=1e-6)


@settings(deadline=None)
@given(CHINESE, CHINESE)
def test_it_equals_rouge_chinese_on_words(answer, reference):
    words = [split_units(text, "words") for text in (answer, reference)]
    peer = Rouge(metrics=["rouge-l"]).get_scores(*(" ".join(text) for text in words))[0]["rouge-l"]["f"]
    assert best_rouge_l(answer, [reference], unit="words") == pytest.approx(peer, abs=1e-6)


@settings(deadline=None)
@given(ANY_TEXT, ANY_TEXT)
def test_it_is_a_share_and_symmetric(answer, reference):
    found = rouge_l(answer, reference)
    assert 0 <= found <= 1
    assert found == rouge_l(reference, answer)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_a_text_shares_all_with_itself(text):
    assert rouge_l(text, text) == 1


@settings(deadline=None)
@given(CHINESE, CHINESE, CHINESE)
def test_another_reference_never_lowers_the_best(answer, first, second):
    alone = best_rouge_l(answer, [first], unit="chars")
    assert best_rouge_l(answer, [first, second], unit="chars") >= alone


@settings(deadline=None)
@given(CHINESE, CHINESE)
def test_texts_without_a_common_character_share_nothing(answer, reference):
    moved = "".join(chr(ord(char) + 0x10000) for char in reference)
    assert rouge_l(answer, moved) == 0
