from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.records import Answer, Record, Turn
from psyllm.corpus.overlaps import Openings, Overlap
from psyllm.text.ngrams import char_ngrams, jaccard

QUESTION = "我最近总是睡不着，躺下就想着白天的事情，越想越着急，应该怎么办才好呢？"
OTHER = "孩子上了初中以后不愿意和我说话，一回家就关上房门，我不知道怎么和他沟通。"


def record(*texts, **fields):
    turns = tuple(Turn(role="visitor", text=text) for text in texts)
    base = {"id": "a:1", "kind": "dialogue", "group": "a", "source": "a", "licence": "x", "turns": turns}
    return Record(**(base | fields))


def found(asked, *known):
    return Openings({"side": [asked]}, 14, 0.8).count_in(known)["side"]


def test_strangers_do_not_overlap():
    assert found(record(QUESTION), record(OTHER)) == Overlap(1, 0, 0, 0)


def test_the_same_words_overlap_in_every_way():
    assert found(record(QUESTION), record(OTHER, QUESTION)) == Overlap(1, 1, 1, 1)


def test_a_beginning_inside_another_text():
    assert found(record(QUESTION), record("他说：" + QUESTION[:20] + OTHER)) == Overlap(1, 0, 1, 0)


def test_a_nearly_equal_text_with_another_beginning():
    assert found(record(QUESTION), record("唉" + QUESTION[4:])) == Overlap(1, 0, 0, 1)


def test_a_title_is_an_opening_of_its_own():
    question = record(kind="question", title=QUESTION, text=OTHER, answers=(Answer(text="好"),))
    assert found(question, record(QUESTION)) == Overlap(1, 1, 1, 1)


def test_sides_are_counted_apart():
    sides = {"test": [record(QUESTION), record(OTHER)], "dev": [record("都不一样的话，说给自己听听看。")]}
    counts = Openings(sides, 14, 0.8).count_in([record(QUESTION)])
    assert counts == {"test": Overlap(2, 1, 1, 1), "dev": Overlap(1, 0, 0, 0)}


def test_very_short_openings_overlap_only_with_themselves():
    assert found(record("你好"), record("你好")) == Overlap(1, 0, 0, 1)
    assert found(record("你好"), record("你好吗，最近怎么样？")) == Overlap(1, 0, 0, 0)


@given(st.lists(st.text(alphabet="我你心，", max_size=14), min_size=2, max_size=6))
def test_nothing_near_is_passed_over_early(texts):
    asked, *known = texts
    expected = any(jaccard(char_ngrams(asked), char_ngrams(text)) >= 0.8 for text in known)
    assert bool(found(record(asked), *(record(text) for text in known)).nearly_equal) == expected
