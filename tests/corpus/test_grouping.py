from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.records import Answer, Record, Turn
from psyllm.core.settings import CorpusSettings
from psyllm.corpus.grouping import group_records
from psyllm.text.groups import Groups
from psyllm.text.han import han_only
from psyllm.text.hashed_ngrams import without_space
from psyllm.text.ngrams import char_ngrams, jaccard

QUESTION = "我最近总是睡不着，躺下就想着白天的事情，越想越着急，应该怎么办才好呢？"
OTHER = "孩子上了初中以后不愿意和我说话，一回家就关上房门，我不知道怎么和他沟通。"


def dialogue(number, *texts, **fields):
    roles = ("visitor", "counsellor")
    turns = tuple(Turn(role=roles[n % 2], text=text) for n, text in enumerate(texts))
    base = {"id": f"a:{number}", "group": f"a:{number}", "source": "a", "licence": "x"}
    return Record(**(base | {"kind": "dialogue", "turns": turns} | fields))


def groups(*records, **settings):
    return group_records(lambda: iter(records), CorpusSettings(**settings)).groups


def test_records_that_share_nothing_stay_alone():
    assert groups(dialogue(1, QUESTION, "请说。"), dialogue(2, OTHER, "请说。")) == [[0], [1]]


def test_records_of_one_group_stay_together():
    first, second = dialogue(1, QUESTION, group="q"), dialogue(2, OTHER, group="q")
    assert groups(first, dialogue(3, "完全不同的一句话。"), second) == [[0, 2], [1]]


def test_a_record_stays_with_those_that_it_was_made_from():
    assert groups(dialogue(1, QUESTION), dialogue(2, OTHER, parents=("a:1",))) == [[0, 1]]


def test_openings_that_begin_alike_stay_together_whatever_stands_between_the_characters():
    first = dialogue(1, "我最近总是睡不着，躺下就想着白天的事情。")
    second = dialogue(
        2, "我、最近——总是睡不着躺下，就想 着白……后来我去看了医生，医生说没有大问题，让我多休息。"
    )
    assert groups(first, second) == [[0, 1]]
    assert groups(first, second, opening_chars=25) == [[0], [1]]


def test_openings_shorter_than_the_beginning_are_compared_whole():
    assert groups(dialogue(1, "睡不着怎么办？"), dialogue(2, "睡不着怎么办。")) == [[0, 1]]
    assert groups(
        dialogue(1, "睡不着怎么办？"), dialogue(2, "睡不着怎么办？我试过很多办法了，都没有用处。")
    ) == [[0], [1]]


def test_a_nearly_equal_opening_with_another_beginning_stays_together():
    assert groups(dialogue(1, QUESTION), dialogue(2, "唉，" + QUESTION)) == [[0, 1]]


@pytest.mark.parametrize(
    "texts",
    [
        (OTHER, "请说。", QUESTION),  # the visitor asks it later
        (OTHER, "你刚才说：" + QUESTION),  # the counsellor says it again
        (OTHER, "很久以前有人问过：“" + QUESTION + "”后来他好了很多，现在每天都睡得很香，也不再着急。" * 3),
    ],
)
def test_an_opening_that_another_dialogue_holds_anywhere_keeps_them_together(texts):
    assert groups(dialogue(1, QUESTION), dialogue(2, *texts)) == [[0, 1]]
    assert groups(dialogue(2, *texts), dialogue(1, QUESTION)) == [[0, 1]]


def test_the_title_of_a_question_is_found_in_a_dialogue_and_its_details_need_not_be():
    question = dialogue(
        1, kind="question", title=QUESTION, text=OTHER, answers=(Answer(text="可以试试早点睡。"),), turns=()
    )
    assert groups(question, dialogue(2, "你好。", "请说。", QUESTION)) == [[0, 1]]


def test_an_article_named_in_another_does_not_tie_them():
    title = "认知行为疗法的基本原理与常见技术"
    first = dialogue(1, kind="document", title=title, text=QUESTION, turns=())
    second = dialogue(2, kind="document", title="情绪", text=OTHER + title + OTHER, turns=())
    assert groups(first, second) == [[0], [1]]


def test_ties_reach_through_others():
    chain = [dialogue(1, QUESTION), dialogue(2, OTHER, "嗯。", QUESTION), dialogue(3, OTHER)]
    assert groups(*chain) == [[0, 1, 2]]


def test_no_records_have_no_groups():
    assert groups() == []


words = st.text(alphabet="我你心难a，", max_size=9)
some_records = st.lists(
    st.one_of(
        st.builds(lambda *texts: dialogue(0, *texts), words, words, words),
        st.builds(
            lambda title, text: dialogue(0, kind="question", title=title, text=text, turns=()), words, words
        ),
        st.builds(
            lambda title, text: dialogue(0, kind="document", title=title, text=text, turns=()), words, words
        ),
    ),
    max_size=7,
)


def is_found(opening, text, characters, is_asked):
    bare, other = han_only(opening), han_only(text)
    begins = len(bare) >= characters and other.startswith(bare[:characters])
    inside = is_asked and len(bare) >= characters and bare[:characters] in other
    near = any(
        jaccard(char_ngrams(view(opening)), char_ngrams(view(text))) >= 0.8
        for view in (without_space, han_only)
    )
    return begins or inside or near


def naive_groups(records, characters):
    known = Groups(len(records))
    for left, right in product(range(len(records)), repeat=2):
        one, other = records[left], records[right]
        openings = {one.opening()} | ({one.title} if one.kind == "question" else set())
        texts = {*other.texts(), other.opening(), *({other.title} if other.kind == "question" else set())}
        if any(is_found(o, t, characters, one.kind != "document") for o in openings for t in texts):
            known.join(left, right)
    return list(known.all().values())


@given(some_records, st.integers(3, 6))
def test_the_groups_are_exactly_those_that_comparing_all_would_give(records, characters):
    numbered = [
        record.model_copy(update={"id": f"a:{n}", "group": f"a:{n}"}) for n, record in enumerate(records)
    ]
    assert groups(*numbered, opening_chars=characters) == naive_groups(numbered, characters)
