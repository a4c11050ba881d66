"""What a pattern needs, read from the pattern itself, and which patterns a text may match."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.needs import Gate, needs_of, ways_of

CHARACTERS = st.sampled_from("死活想不了a1,。")
ATOMS = st.sampled_from(
    ["死", "活", "想", "[死活]", "[^想]", ".", "a", "1", "了?", "(?=活)", "(?<!不)", "^", "$", "\\d", ","]
)


def joined(parts):
    return st.one_of(
        st.lists(parts, min_size=1, max_size=4).map("".join),
        st.lists(parts, min_size=2, max_size=3).map(lambda some: f"(?:{'|'.join(some)})"),
        st.lists(parts, min_size=2, max_size=3).map("|".join),
        st.tuples(parts, st.sampled_from(["?", "{0,2}", "{1,2}", "{2}", "+?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
        parts.map(lambda one: f"(?={one})想"),
    )


PATTERNS = st.recursive(ATOMS, joined, max_leaves=8)


@given(PATTERNS, st.text(CHARACTERS, max_size=8))
def test_a_text_in_which_a_pattern_matches_meets_its_needs(source, text):
    pattern = re.compile(source)
    if pattern.search(text):
        assert Gate([needs_of(pattern)]).numbers(text) == [0]


@given(PATTERNS, st.text(CHARACTERS, max_size=8))
def test_the_ways_of_a_pattern_find_what_it_finds(source, text):
    pattern = re.compile(source)
    ways = ways_of(pattern)
    found = [match for way in ways if (match := way.search(text)) is not None]
    match = min(found, key=re.Match.start) if found else None
    whole = pattern.search(text)
    assert (match and match.span()) == (whole and whole.span())


@pytest.mark.parametrize(
    ("source", "meets", "fails"),
    [
        ("自杀|跳楼", "想跳楼", "跳下楼"),
        ("想.{0,3}死", "想去死", "想去活"),
        ("(?:买|囤)(?:了|好)药", "囤好药", "囤药"),
        ("不(?=想)", "不想", "不活"),
        ("[一二三]片", "二片", "四片"),
        ("(?:死){2}", "死死", "活"),
    ],
)
def test_needs_rule_out_what_cannot_match(source, meets, fails):
    gate = Gate([needs_of(re.compile(source))])
    assert gate.numbers(meets) == [0]
    assert gate.numbers(fails) == []


@pytest.mark.parametrize(
    "source",
    [".", "", "死?", "(.)\\1|活", "(?i:a)", "(?>死)", "死?+", "[^死]", "\\w", "(死)?(?(1)活|想)", "，"],
)
def test_a_construct_that_is_not_known_needs_nothing(source):
    assert Gate([needs_of(re.compile(source))]).numbers("毫不相干") == [0]


def test_flags_and_inline_flags_need_nothing():
    assert Gate([needs_of(re.compile("a", re.IGNORECASE)), needs_of(re.compile("(?i)a"))]).numbers("A") == [
        0,
        1,
    ]


def test_characters_that_the_conversion_may_change_are_not_leant_on():
    assert Gate([needs_of(re.compile("什么")), needs_of(re.compile("坏"))]).numbers("什幺坯") == [0, 1]


def test_a_pattern_is_taken_apart_only_where_nothing_can_change():
    assert [way.pattern for way in ways_of(re.compile(r"a[|(]\||(?:b|c)|[]|]d"))] == [
        r"a[|(]\|",
        "(?:b|c)",
        "[]|]d",
    ]
    for source in ("(a)|b", "(?i)a|b", "a?|b", "(?:a|b)"):
        assert len(ways_of(re.compile(source))) == 1


def test_several_patterns_are_told_apart_in_order():
    gate = Gate([needs_of(re.compile(source)) for source in ("死", "活着", ".", "想死|不想", "自己死")])
    assert gate.numbers("不想死") == [0, 2, 3]
    assert gate.numbers("") == [2]
    assert Gate([]).numbers("死") == []
