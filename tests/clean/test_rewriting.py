import re

from hypothesis import given
from hypothesis import strategies as st

from psyllm.clean.rewriting import change_replies, change_texts, change_turns, without_parts
from psyllm.core.records import Answer, Record, Span, Turn
from psyllm.text.fold import Folded
from psyllm.text.offsets import Offsets, substitute


def record(**fields):
    return Record(id="a:1", kind="dialogue", group="a:1", source="a", licence="CC0-1.0", **fields)


def without_x(text):
    return Folded(*substitute(re.compile("x+"), lambda _: "", text))


def same(text):
    return Folded(text, Offsets())


def test_spans_move_and_those_of_which_nothing_is_left_go():
    spans = tuple(Span(start=a, end=b, type=str(a)) for a, b in ((0, 2), (2, 4), (4, 7)))
    changed = change_texts(record(answers=(Answer(text="abxxcxd", spans=spans),)), without_x)
    assert changed.answers[0].text == "abcd"
    assert [(s.start, s.end, s.type) for s in changed.answers[0].spans] == [(0, 2, "0"), (2, 4, "4")]


def test_a_record_that_nothing_changed_is_the_same_object():
    original = record(
        title="a", text="b", turns=(Turn(role="visitor", text="c"),), answers=(Answer(text="d"),)
    )
    for change in (change_texts, change_replies, change_turns):
        assert change(original, same) is original


def test_every_text_is_changed_and_the_id_is_not():
    original = record(
        title="ax", text="bx", turns=(Turn(role="visitor", text="cx"),), answers=(Answer(text="dx"),)
    )
    changed = change_texts(original, without_x)
    assert list(changed.texts()) == ["a", "b", "c", "d"]
    assert changed.id == original.id


def test_a_visitor_s_words_stay_when_replies_are_changed():
    turns = (Turn(role="visitor", text="ax"), Turn(role="counsellor", text="bx"))
    changed = change_replies(record(text="cx", turns=turns, answers=(Answer(text="dx"),)), without_x)
    assert list(changed.texts()) == ["cx", "ax", "b", "d"]


@given(st.text(alphabet="ab \n", max_size=20), st.data())
def test_what_is_left_out_is_gone_and_the_rest_is_found_again(text, data):
    edges = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    parts = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False) if a < b]
    folded = without_parts(text, parts)
    gone = {place for a, b in parts for place in range(a, b)}
    left = "".join(character for place, character in enumerate(text) if place not in gone)
    assert folded.text == (left.strip() if parts else left)
    for place, character in enumerate(text):
        new = folded.offsets.span(place, place + 1)
        if new is None:
            assert place in gone or character.isspace()
        else:
            assert folded.text[new[0] : new[1]] == character
