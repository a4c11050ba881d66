import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_up import text as made_up_text
from psyllm.clean.drop import Drop
from psyllm.clean.steps import steps
from psyllm.core.records import Answer, Record, Span, Turn
from psyllm.core.settings import CleanSettings

LONG = "可以试着把睡前的担心写下来，第二天再看，多半没有想的那么糟。先从每天十分钟开始，不用逼自己马上睡着，慢慢就会松下来。"
MORE = "正念是把注意力放在此刻的呼吸和感受上，焦虑的念头来了，看见它，再让它走。"


def record(kind="question", **fields):
    return Record(id="a:1", kind=kind, group="a:1", source="a", licence="x", **fields)


def question(*answers, title="晚上总是睡不着，应该怎么办呢？", text=""):
    return record(title=title, text=text, answers=tuple(Answer(text=answer) for answer in answers))


def dialogue(*texts):
    roles = ("visitor", "counsellor")
    turns = tuple(Turn(role=roles[n % 2], text=text) for n, text in enumerate(texts))
    return record("dialogue", turns=turns)


def cleaned(found, **settings):
    for step in steps(CleanSettings(**settings)):
        found = step.apply(found)
        if isinstance(found, Drop):
            return found
    return found


@pytest.mark.parametrize(("given", "reason"), [
    (record("document", title="题", text="太短的文章。"), "short_document"),
    (question(LONG, title="怎么办？"), "short_question"),
    (question("早点睡。"), "no_answer"),
    (question(), "no_answer"),
    (question("你这样的想法我很理解，真的。" * 4), "no_answer"),
    (dialogue("只有我在说话，没有人回答我。"), "no_counsellor"),
    (record("document", title="DBT", text="Dialectical " * 30 + "行为"), "short_document"),
    (dialogue("Hello, I can not sleep at all.", "Please tell me more about it."), "little_chinese"),
])  # fmt: skip
def test_what_is_dropped_has_its_reason(given, reason):
    assert cleaned(given) == Drop(reason)


def test_floors_come_from_the_settings():
    assert cleaned(question("早点睡。"), shortest_answer_chars=3).answers[0].text == "早点睡。"
    assert cleaned(dialogue("你好，我睡不着。", "请说。"), fewest_turns=3) == Drop("few_turns")
    assert cleaned(question(LONG), least_han_share=0.99) == Drop("little_chinese")


def test_short_answers_go_and_the_others_stay():
    assert [answer.text for answer in cleaned(question(LONG, "加油！", LONG + "祝好。")).answers] == [
        LONG,
        LONG + "祝好。",
    ]


def test_a_counsellor_of_ours_may_answer_shortly():
    short = question("今晚先别一个人待着。")
    answer = short.answers[0].model_copy(update={"author": "counsellor"})
    assert cleaned(short.model_copy(update={"answers": (answer,)})).answers == (answer,)


def test_personal_data_is_masked_and_spans_follow():
    spans = (Span(start=0, end=16, type="A"), Span(start=16, end=16 + len(LONG), type="B"))
    found = cleaned(
        record(
            title="晚上总是睡不着，应该怎么办呢？",
            answers=(Answer(text="打我电话13812345678。" + LONG, spans=spans),),
        )
    )
    (answer,) = found.answers
    assert answer.text == "打我电话〔电话〕。" + LONG
    assert [answer.text[s.start : s.end] for s in answer.spans] == ["打我电话〔电话〕。", LONG]
    assert "13812345678" in "".join(cleaned(question("打我电话13812345678。" + LONG), mask_pii=False).texts())


def test_full_stops_of_chinese_stay_chinese_and_wide_letters_become_narrow():
    found = cleaned(dialogue("我，今年２０岁（真的）！　睡不着……", "请\u200b说说\r\n看。"))
    assert [turn.text for turn in found.turns] == ["我，今年20岁（真的）！ 睡不着……", "请说说\n看。"]


def test_traditional_text_becomes_simplified_and_spans_follow():
    old = "可以試著把睡前的擔心寫下來，第二天再看，多半沒有想的那麼糟。"
    span = Span(start=0, end=14, type="A")
    given = record(title="晚上總是睡不著，應該怎麼辦呢？", answers=(Answer(text=old * 2, spans=(span,)),))
    (answer,) = cleaned(given).answers
    assert answer.text.startswith("可以试着把睡前的担心写下来，")
    assert answer.spans == (span,)
    assert cleaned(given).title == "晚上总是睡不着，应该怎么办呢？"
    assert cleaned(given, simplify=False).title == given.title


def test_site_lines_go_from_the_counsellor_only():
    line = "我是国家二级心理咨询师。"
    found = cleaned(dialogue(f"{line}最近自己也睡不着。", f"{line}请慢慢说。"))
    assert [turn.text for turn in found.turns] == [f"{line}最近自己也睡不着。", "请慢慢说。"]


def test_references_go_from_documents_and_from_nothing_else():
    reference = "Bishop, S. R., et al. (2004). Mindfulness: A proposed definition."
    document = record("document", title="正念", text=f"{LONG}\n{reference}\n{MORE}")
    assert cleaned(document).text == f"{LONG}\n{MORE}"
    assert reference in cleaned(dialogue(f"{LONG}\n{reference}", LONG)).turns[0].text


@pytest.mark.parametrize(
    ("said", "flags"), [("最近工作有点忙，想聊聊。", ()), ("我不想活了，想结束自己的生命。", True)]
)
def test_a_crisis_is_marked_and_never_dropped(said, flags):
    found = cleaned(dialogue(said, "谢谢你告诉我，我在听。"))
    assert isinstance(found, Record)
    levels = [flag for flag in found.flags if flag.startswith("level:")]
    assert bool(levels) == bool(flags)
    if flags:
        assert levels[0] in {"level:risk", "level:urgent", "level:in_progress"}


def test_a_crisis_in_a_question_is_marked_and_one_in_an_article_is_not():
    words = "我不想活了，想结束自己的生命。"
    assert cleaned(question(LONG, title=words)).flags
    assert cleaned(record("document", title="文章", text=words + LONG)).flags == ()


def test_marking_again_changes_nothing_and_other_flags_stay():
    marked = cleaned(
        dialogue("我不想活了，想结束自己的生命。", LONG).model_copy(update={"flags": ("x", "level:none")})
    )
    assert marked.flags[0] == "x"
    assert len(marked.flags) == 2
    assert cleaned(marked) is marked


nasty = st.text(alphabet="我睡不着１a。！？ \n\r\t\u3000（）()\u200b😀1380", max_size=40)


@given(st.lists(nasty, max_size=6), nasty, nasty, st.randoms())
def test_cleaning_twice_changes_nothing_more(turns, title, text, chance):
    seeded = random.Random(chance.random())
    some = [
        dialogue(*turns, made_up_text(seeded)),
        question(text + made_up_text(seeded, 4), title=title + made_up_text(seeded, 1)),
        record("document", title=title, text=text + made_up_text(seeded, 4)),
    ]
    for given_record in some:
        once = cleaned(given_record)
        if isinstance(once, Record):
            assert cleaned(once) is once
