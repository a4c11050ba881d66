"""The nearest texts and what their score means."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.nearest import Entry, NearestTexts

ENTRIES = [
    Entry("sleep", "晚上总是睡不着，第二天很累，怎么办？"),
    Entry("parents", "和父母吵架以后不知道怎么开口"),
    Entry("exam", "考试前特别紧张，手心出汗"),
    Entry("marks", "。。。！"),
]


def test_the_entry_with_the_most_telling_words_comes_first():
    texts = NearestTexts(ENTRIES)
    assert texts.find("最近睡不着")[0].key == "sleep"
    assert [match.key for match in texts.find("父母，考试紧张", k=3)] == ["exam", "parents"]


def test_the_score_is_the_share_of_the_query_that_the_entry_holds():
    texts = NearestTexts(ENTRIES)
    whole = texts.find("考试前特别紧张")[0]
    assert whole.score == pytest.approx(1.0)
    half = texts.find("考试前特别紧张，量子色动力学的夸克禁闭")[0]
    assert half.key == "exam"
    assert 0.1 < half.score < 0.6


def test_nothing_in_common_is_no_match():
    texts = NearestTexts(ENTRIES)
    assert texts.find("zebra") == []
    assert texts.find("") == []
    assert texts.find("，。！") == []
    assert NearestTexts([]).find("睡不着") == []
    assert NearestTexts([Entry("marks", "！！")]).find("！！") == []


def test_excluded_keys_are_passed_over_and_k_is_kept():
    texts = NearestTexts(ENTRIES)
    assert [match.key for match in texts.find("怎么办，怎么开口", k=1, exclude={"sleep"})] == ["parents"]
    assert len(texts.find("怎么办，怎么开口", k=1)) == 1


def test_equal_entries_keep_their_order():
    texts = NearestTexts([Entry(str(number), "睡不着怎么办") for number in range(300)])
    assert [match.key for match in texts.find("睡不着", k=300)] == [str(number) for number in range(300)]


def test_the_library_says_nothing_while_indexing(capfd, caplog):
    with caplog.at_level(logging.DEBUG):
        NearestTexts(ENTRIES)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@given(
    st.lists(st.text("睡不着父母考试紧张怎么办，a1 "), max_size=6),
    st.text("睡不着父母考试紧，a1 ", max_size=12),
)
def test_scores_stay_between_nothing_and_all(texts, query):
    entries = [Entry(str(number), text) for number, text in enumerate(texts)]
    for match in NearestTexts(entries).find(query, k=10):
        assert 0 < match.score <= 1 + 1e-9
