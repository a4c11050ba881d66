"""Spans through edits, there and back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.offsets import Offsets, substitute


def test_spans_follow_replacements_deletions_and_growth():
    text, offsets = substitute(
        re.compile("bb|d"), lambda match: {"bb": "", "d": "DDD"}[match.group()], "abbcde"
    )
    assert text == "acDDDe"
    assert offsets.span(0, 1) == (0, 1)
    assert offsets.span(1, 3) is None
    assert offsets.span(1, 4) == (1, 2)
    assert offsets.span(3, 5) == (1, 5)
    assert offsets.span(0, 6) == (0, 6)
    assert offsets.old_span(2, 5) == (4, 5)
    assert offsets.old_span(0, 1) == (0, 1)
    assert offsets.old_span(1, 2) == (3, 4)


def test_no_edit_leaves_spans_alone():
    assert Offsets().span(2, 5) == (2, 5)
    assert Offsets().old_span(2, 5) == (2, 5)


@given(st.text("abcd", max_size=30), st.sampled_from(["", "x", "xyz"]), st.sampled_from(["", "q", "qrs"]))
def test_what_was_not_edited_keeps_its_characters_through_two_passes(text, first, second):
    middle, one = substitute(re.compile("b+"), lambda _: first, text)
    new, two = substitute(re.compile("c"), lambda _: second, middle)
    offsets = one.then(two)
    for at, character in enumerate(text):
        if character in "ad":
            assert offsets.span(at, at + 1) is not None
            start, end = offsets.span(at, at + 1)
            assert new[start:end] == character
            assert offsets.old_span(start, end) == (at, at + 1)
    for at, character in enumerate(new):
        start, end = offsets.old_span(at, at + 1)
        assert 0 <= start < end <= len(text)
        if character in "ad":
            assert text[start:end] == character
