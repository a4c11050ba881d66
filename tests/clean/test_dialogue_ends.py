import pytest

from psyllm.clean import dialogue_ends as ends
from psyllm.clean.drop import Drop
from psyllm.core.records import Record, Span, Turn

LONG = "睡前把担心的事写下来，第二天再看，多半没有想的那么糟。先从每天十分钟开始，不用逼自己马上睡着，慢慢就会松下来。"


def dialogue(*texts, first="visitor"):
    roles = ("visitor", "counsellor") if first == "visitor" else ("counsellor", "visitor")
    turns = tuple(Turn(role=roles[n % 2], text=text) for n, text in enumerate(texts))
    return Record(id="a:1", kind="dialogue", group="a:1", source="a", licence="x", turns=turns)


def said(record):
    return [turn.text for turn in record.turns]


def test_courtesies_without_end_are_cut_after_the_first_thanks():
    record = dialogue("我睡不着。", LONG, *["谢谢你，再见。", "不客气，祝你好梦。"] * 4)
    assert said(ends.cut_courtesies(record)) == ["我睡不着。", LONG, "谢谢你，再见。", "不客气，祝你好梦。"]


def test_a_cut_ends_with_the_counsellor():
    record = dialogue(
        "您好。", "我睡不着。", LONG, *["谢谢你，再见。", "不客气，祝你好梦。"] * 3, first="counsellor"
    )
    assert ends.cut_courtesies(record).turns[-1].role == "counsellor"


@pytest.mark.parametrize(
    "last", ["谢谢你，可是我还是想死。", "谢谢，不过我害怕今晚又睡不着。", "谢谢你，还有一件事可以问吗？"]
)
def test_what_still_matters_is_never_cut(last):
    record = dialogue("我睡不着。", LONG, *["谢谢你，再见。", "不客气，祝你好梦。"] * 4, last, LONG)
    assert ends.cut_courtesies(record) is record


def test_a_normal_farewell_stays():
    record = dialogue("我睡不着。", LONG, "谢谢你。", "不客气。", "再见。", "再见，祝你好梦。")
    assert ends.cut_courtesies(record) is record


def test_a_last_turn_cut_off_by_a_full_buffer_ends_with_its_last_whole_sentence():
    record = dialogue("我睡不着。", LONG + "如果一个人实在睡不着的话也可以起来坐一坐喝一点温水再")
    assert said(ends.mend_last_turn(record)) == ["我睡不着。", LONG]
    comma = dialogue("我睡不着。", LONG + "然后，")
    assert said(ends.mend_last_turn(comma)) == ["我睡不着。", LONG]


def test_spans_of_the_part_cut_off_go():
    spans = (Span(start=0, end=3, type="A"), Span(start=len(LONG), end=len(LONG) + 3, type="B"))
    turns = (
        Turn(role="visitor", text="我睡不着。"),
        Turn(role="counsellor", text=LONG + "然后，", spans=spans),
    )
    mended = ends.mend_last_turn(dialogue().model_copy(update={"turns": turns}))
    assert mended.turns[-1].spans == spans[:1]


@pytest.mark.parametrize("last", [LONG, LONG + "祝你好梦", LONG + "晚安～", "慢慢来，", LONG + "加油！"])
def test_whole_and_short_last_turns_stay(last):
    record = dialogue("我睡不着。", last)
    assert ends.mend_last_turn(record) is record


def test_a_long_dialogue_needs_two_sides():
    assert ends.need_two_sides(dialogue("嗯", LONG * 10)) == Drop("one_sided")
    short = dialogue("嗯", "好的，请说。")
    assert ends.need_two_sides(short) is short
    document = short.model_copy(update={"kind": "document"})
    assert ends.need_two_sides(document) is document
