import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.records import RECORD_SCHEMA, Answer, Record, Turn, to_row
from psyllm.corpus import decontaminate
from psyllm.corpus.columns import runs_of
from psyllm.corpus.decontaminate import HOLDS_ITEM, SHARED, Limits, Questions, contaminated, item_runs
from psyllm.corpus.evaluation_items import Item
from psyllm.text.han import han_only

ASKED = "我最近总是睡不着，躺下就想着白天的事情，越想越着急，应该怎么办才好呢？"
OTHER = "孩子上了初中以后不愿意和我说话，一回家就关上房门，我不知道怎么和他沟通才合适。"
LIMITS = Limits(own=0.1, of_an_item=0.5)


def record(number=1, **fields):
    base = {"id": f"a:{number}", "kind": "document", "group": f"a:{number}", "source": "a", "licence": "x"}
    return Record(**(base | fields))


def batch(*records):
    table = pa.Table.from_pylist([to_row(each) for each in records], schema=RECORD_SCHEMA)
    return table.to_batches()[0]


def found(items, *records, limits=LIMITS):
    texts = [Item(text, (text,)) for text in items]
    return contaminated(
        lambda: iter([batch(*records)]),
        lambda: item_runs(texts),
        Questions(list(items)),
        limits,
        len(records),
    )


texts = st.text(alphabet="我你心，a", max_size=9)


@given(
    st.lists(st.tuples(texts, texts, st.lists(texts, max_size=3), st.lists(texts, max_size=3)), max_size=5)
)
def test_runs_of_a_batch_are_those_of_each_text_of_its_records(values):
    records = [
        record(
            number,
            title=title,
            text=text,
            turns=tuple(Turn(role="visitor", text=each) for each in turns),
            answers=tuple(Answer(text=each) for each in answers),
        )
        for number, (title, text, turns, answers) in enumerate(values)
    ]
    if not records:
        return
    runs = runs_of(batch(*records), 3)
    expected = [sum(max(0, len(han_only(text)) - 2) for text in each.texts()) for each in records]
    assert runs.counts().tolist() == expected
    one_by_one = [sorted(runs_of(batch(each), 3).hashes.tolist()) for each in records]
    here = [sorted(runs.hashes[runs.borders[i] : runs.borders[i + 1]].tolist()) for i in range(len(records))]
    assert here == one_by_one


def test_a_record_that_shares_much_is_left_out_and_one_shared_phrase_is_no_reason():
    phrase = ASKED[:20]
    long = "".join(chr(0x4E00 + place) for place in range(400))
    records = [record(1, text=ASKED), record(2, text=OTHER), record(3, text=long + phrase)]
    assert found([ASKED], *records) == {0: SHARED}


def test_a_long_record_that_holds_most_of_a_question_is_left_out():
    long = "".join(chr(0x4E00 + place) for place in range(900))
    assert found([ASKED], record(1, text=long + ASKED)) == {0: HOLDS_ITEM}
    assert found([ASKED], record(1, text=long + ASKED[:20])) == {}


def test_punctuation_and_space_do_not_hide_it():
    spaced = " ".join(ASKED).replace("，", "——")
    assert found([ASKED], record(1, text=spaced)) == {0: SHARED}


def test_a_run_said_again_and_again_is_one_run_of_a_question():
    long = "".join(chr(0x4E00 + place) for place in range(900))
    question = ASKED + OTHER
    assert found([question], record(1, text=long + ("，" + ASKED[:18]) * 9), limits=Limits(1, 0.5)) == {}


def test_very_many_runs_in_several_lots_give_the_same(monkeypatch):
    generator = np.random.default_rng(1)
    words = ["".join(chr(0x4E00 + code) for code in generator.integers(0, 900, 60)) for _ in range(60)]
    records = [record(n, text=words[n] + words[-n][:40]) for n in range(1, 40)]
    whole = found(words[10:30], *records)
    monkeypatch.setattr(decontaminate, "RUNS_AT_ONCE", 100)
    assert found(words[10:30], *records) == whole
    assert len(whole) >= 20


def test_nothing_to_measure_on_leaves_nothing_out():
    assert found([], record(1, text=ASKED)) == {}


@pytest.mark.parametrize("texts", [["短"], ["a", "b"]])
def test_items_without_a_run_are_found_nowhere(texts):
    assert found(texts, record(1, text="短"), record(2, text=ASKED)) == {}
