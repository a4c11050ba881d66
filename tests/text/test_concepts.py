"""The table of concepts: what is read out of a text, and a table that is broken."""

import copy
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.errors import MalformedInput
from psyllm.text.concepts import CONCEPTS, Concepts, load_concepts

TABLES = tomllib.loads(CONCEPTS.read_text("utf-8"))
READ = load_concepts().read


def found(text: str) -> set[str]:
    return {place.id for place in READ(text).found}


def speaker(text: str) -> frozenset[str]:
    return load_concepts().speaker(READ(text))


def test_concepts_are_found_with_their_places():
    reading = READ("最近总是睡不着")
    assert [(place.id, place.start, place.end) for place in reading.found] == [("sleep", 4, 7)]


def test_a_gap_stays_within_its_clause():
    assert "compared" in found("我妈总拿我跟表姐比")
    assert "compared" not in found("我妈总拿我出气。跟谁比")


def test_a_phrase_that_only_looks_like_a_matter_is_none():
    assert "friendship" not in found("我男朋友")
    assert "lonely" in found("我没有朋友")
    assert "friendship" not in found("我没有朋友")
    assert "checking" not in found("一直被煤气灯")


def test_the_narrower_of_two_matters_takes_the_words():
    assert "divorce" in found("他们离婚的时候")
    assert "divorce" not in found("父母离婚")
    assert "counselling" not in found("新手咨询师")


def test_a_phrase_with_a_gap_silences_none_of_what_it_spans():
    assert {"parents_conflict", "parents_gap"} <= found("和我妈天天吵")


def test_a_phrase_that_opens_in_the_midst_of_a_quiet_one_is_none():
    assert "friend_drift" in found("朋友不理我")
    assert "friend_drift" not in found("男朋友不理我")
    assert "cold_war" in found("男朋友不理我")


def test_a_keyword_says_more_than_the_same_word_in_a_sentence():
    assert "no_meaning" in load_concepts().read_keyword("意义")
    assert "no_meaning" not in found("这么做的意义是省时间")


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("儿子上初三，天天打游戏", {"parent"}),
        ("我初三，我妈总说我", {"pupil", "child"}),
        ("退休以后老伴总嫌我", {"elder", "married"}),
        ("今年34岁，害怕出错", {"adult"}),
        ("我是小学班主任，学生不听话", {"teacher"}),
        ("随便说说", set()),
    ],
)
def test_who_is_speaking(text, roles):
    assert roles <= speaker(text)
    assert not speaker("儿子上初三，天天打游戏") & {"pupil", "learner"}
    assert roles or not speaker(text)


def test_the_first_passage_says_who_is_speaking():
    speaker_of = load_concepts().speaker
    assert "parent" not in speaker_of(READ("我初三，成绩差"), READ("我儿子"))
    assert "parent" in speaker_of(READ("我儿子初三"), READ("我妈"))


def test_roles_clash_only_when_neither_is_both():
    clash = load_concepts().clash
    assert clash(frozenset({"pupil"}), frozenset({"parent"}))
    assert not clash(frozenset({"pupil"}), frozenset({"parent", "pupil"}))
    assert not clash(frozenset(), frozenset({"parent"}))


def test_every_row_has_a_name_and_patterns():
    concepts = load_concepts()
    assert len(concepts.by_id) >= 120
    for kind in ("matter", "people", "feeling", "setting"):
        for name, row in TABLES[kind].items():
            assert row["name"], name
            words = row["words"].split()
            assert words, name
            assert len(words) == len(set(words)), f"{name} repeats a pattern"


@pytest.mark.parametrize("path", [("matter", "near"), ("matter", "who")])
def test_a_name_that_nobody_has_is_refused(path):
    tables = copy.deepcopy(TABLES)
    tables[path[0]]["sleep"][path[1]] = "nonsense"
    with pytest.raises(MalformedInput, match="sleep"):
        Concepts(tables)


def test_an_id_used_twice_is_refused():
    tables = copy.deepcopy(TABLES)
    tables["feeling"]["sleep"] = tables["matter"]["sleep"]
    with pytest.raises(MalformedInput, match="twice"):
        Concepts(tables)


def test_a_clash_with_an_unknown_role_is_refused():
    tables = copy.deepcopy(TABLES)
    tables["roles"]["pupil"]["clashes"] = "nobody"
    with pytest.raises(MalformedInput, match="pupil"):
        Concepts(tables)


@given(st.text("睡不着我妈总拿跟比，。儿子初三a ", max_size=40))
def test_places_lie_within_the_text(text):
    for place in READ(text).found:
        assert 0 <= place.start < place.end <= len(text)
