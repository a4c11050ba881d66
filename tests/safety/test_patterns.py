"""Patterns with parts, and the sentence around a place."""

import re

import pytest

from psyllm.safety.patterns import compile_pattern, sentence_around, sentence_before


def test_parts_are_put_in_and_may_name_parts():
    pattern = compile_pattern("a<two>(?P<name>b)", {"one": "[1]", "two": "<one>2"})
    assert pattern.search("a12b")


def test_an_unknown_part_and_a_broken_pattern_are_refused():
    with pytest.raises(KeyError):
        compile_pattern("<nothing>", {})
    with pytest.raises(re.error):
        compile_pattern("(", {})


def test_the_sentence_around_a_place_stops_at_end_marks():
    text = "一。二,三!四\n五"
    assert sentence_around(text, 4, 5) == "二,三"
    assert sentence_around(text, 0, 1) == "一"
    assert sentence_around(text, 2, 7) == "二,三!四"
    assert sentence_around(text, 1, 4) == "二,三"
    assert sentence_around(text, 4, 6) == "二,三"
    assert sentence_before(text, 4) == "二,"
    assert sentence_before(text, 0) == ""
