"""Steps taken over many records at once give what they give for each record alone."""

import json
import lzma
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyllm.clean.drop import Drop
from psyllm.clean.linear_score import load_score
from psyllm.clean.makeup import makeups
from psyllm.clean.step import Step
from psyllm.clean.steps import steps
from psyllm.clean.topic import WEIGHTS
from psyllm.core.records import Answer, Record, Turn
from psyllm.core.settings import CleanSettings

STEPS = steps(CleanSettings())
# Something for every step: danger, ages, adverts, other languages, personas, brackets, broken text.
PIECES = [
    "我想死", "今晚就跳下去", "药已经买好了", "我今年15岁，", "孩子上初二，", "作为一个AI语言模型，", "（沉默）", "(笑)\n",
    "加微信领取优惠价99元", "关注公众号", "锟斤拷", "\ufffd\ufffd\ufffd", "これはテストです", "喵～主人", "😀😀", "我睡不着，很焦虑。",
    "谢谢你。", "好的，再见。", "听起来你很难过，愿意多说一些吗？", " \u3000", "\n\n\n", "&nbsp;", "<br>", "\uff11\uff12\uff13", "打我电话13812345678",
    "我叫王小明。", "臺灣的學校讓我壓力很大", "hello world ", "死", "我", "想", "Ç", "\u0301",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)


def record(number, kind, texts):
    base = {"id": f"a:{number}", "kind": kind, "group": f"a:{number}", "source": "a", "licence": "x"}
    if kind == "dialogue":
        roles = ("visitor", "counsellor") * len(texts)
        return Record(**base, turns=tuple(Turn(role=r, text=t) for r, t in zip(roles, texts, strict=False)))
    answers = tuple(Answer(text=text) for text in texts[2:]) if kind == "question" else ()
    return Record(**base, title=texts[0], text="".join(texts[1:2]), answers=answers)


RECORDS = st.lists(
    st.tuples(st.sampled_from(["document", "question", "dialogue"]), st.lists(TEXT, min_size=1, max_size=6)),
    max_size=6,
).map(lambda made: [record(number, *one) for number, one in enumerate(made)])


def taken_alone_and_together(records):
    for step in STEPS:
        together = step.take(records)
        assert together == [step.apply(one) for one in records], step.name
        assert all(new is old for new, old in zip(together, records, strict=True) if new == old), step.name
        records = [one for one in together if not isinstance(one, Drop)]


@settings(max_examples=150, deadline=None)
@given(RECORDS)
def test_together_is_the_same_as_alone(records):
    taken_alone_and_together(records)


def test_together_is_the_same_as_alone_on_real_dialogues(outside_data):
    with lzma.open(outside_data / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        said = [[turn["content"] for turn in json.loads(line)["dialog"]] for line in islice(lines, 600)]
    taken_alone_and_together([record(number, "dialogue", texts) for number, texts in enumerate(said)])


def test_a_step_without_a_way_for_many_is_taken_one_by_one():
    double = Step("double", lambda one: one.model_copy(update={"title": one.title * 2}))
    assert [one.title for one in double.take([record(1, "document", ["一"])])] == ["一一"]


@given(st.lists(st.text("我想死活ab😀", max_size=12), max_size=8))
def test_scores_and_counts_of_many_are_those_of_each(texts):
    table = load_score(WEIGHTS)
    assert table.of_all(texts) == [table.of(text) for text in texts]
    assert makeups(texts) == [one for text in texts for one in makeups([text])]


@pytest.mark.parametrize("chars", [1, 5, 50])
def test_scores_do_not_depend_on_how_many_are_looked_at_together(monkeypatch, chars):
    monkeypatch.setattr("psyllm.clean.linear_score.CHARS_AT_ONCE", chars)
    texts = ["我睡不着", "", "焦虑" * 20, "a", "ab", "很难过，想哭"]
    assert load_score(WEIGHTS).of_all(texts) == [load_score(WEIGHTS).of(text) for text in texts]
