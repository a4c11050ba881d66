"""Columns are measured alike, and every key has its definition."""

import pytest

from psyllm.evaluate.guarding import Judged
from psyllm.evaluate.measure import (
    Resampling,
    form_figures,
    likeness_figures,
    rouge_scores,
    variety_at_equal_size,
    variety_figures,
)

RESAMPLING = Resampling(samples=50, seed=1)


def test_rouge_is_the_mean_over_records_in_percent():
    answers, references = ["我很难过", "天"], [["我很难过"], ["我很难过"]]
    assert rouge_scores(answers, references, "chars") == [100, 0]
    figures = likeness_figures(answers, references, RESAMPLING)
    assert figures["rouge_l_chars_percent"].value == pytest.approx(50)
    assert set(figures) == {"rouge_l_chars_percent", "rouge_l_words_percent"}


def test_variety_has_hand_worked_values_under_each_denominator():
    figures = variety_figures(["我很好", "我很累"])
    assert figures["distinct_1_chars_percent"].value == pytest.approx(100 * 4 / 6)
    assert figures["distinct_2_chars_per_ngram_percent"].value == pytest.approx(75)
    assert figures["distinct_2_chars_per_char_percent"].value == pytest.approx(50)


def test_ends_of_a_share_stay_within_0_and_100():
    answers = ["我今天很难过", "天气很好", "你好你好你好你好", "春夏秋冬东西南北"]
    # Cut nowhere, the first figure's interval would reach above 100.
    for figure in variety_figures(answers).values():
        assert 0 <= figure.low <= figure.value <= figure.high <= 100


def test_at_equal_size_repeating_a_text_changes_little_but_shrinks_nothing_below():
    once = ["我今天很难过，想和你说说话。"]
    figures = variety_at_equal_size({"once": once, "ten": once * 10, "none": [""]})
    key = "distinct_1_chars_equal_size_percent"
    assert figures["once"][key].value == pytest.approx(
        variety_figures(once)["distinct_1_chars_percent"].value
    )
    assert figures["once"][key].value > figures["ten"][key].value > 50
    assert figures["none"][key].value == 0


def test_form_counts_what_passed_and_how_long_it_is():
    judged = [Judged(passed=True, reasons=()), Judged(passed=False, reasons=("loop",))]
    figures = form_figures(["一二三", "一"], judged, RESAMPLING)
    assert figures["guard_passed_percent"].value == 50
    assert figures["length_chars"].value == 2
