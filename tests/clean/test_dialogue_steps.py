import pytest

from psyllm.clean import dialogue_steps as steps
from psyllm.clean.drop import Drop
from psyllm.core.records import Record, Span, Turn


def dialogue(*texts, first="visitor", **fields):
    roles = ("visitor", "counsellor") if first == "visitor" else ("counsellor", "visitor")
    turns = tuple(Turn(role=roles[n % 2], text=text) for n, text in enumerate(texts))
    return Record(id="a:1", kind="dialogue", group="a:1", source="a", licence="x", turns=turns, **fields)


def said(record):
    return [turn.text for turn in record.turns]


LOOP = "我总是觉得自己做什么都不成功。"


def test_lines_that_only_say_what_happens_are_taken_out():
    record = dialogue("（沉默）", "好的。\n\n（一段时间后）\n\n我们继续。", "我明白了。\n\n(对话结束)")
    assert said(steps.without_stage_directions(record)) == ["", "好的。\n\n我们继续。", "我明白了。"]


def test_brackets_inside_a_line_stay():
    record = dialogue("我（三十岁）总是睡不着。", "好的（笑）")
    assert steps.without_stage_directions(record) is record


def test_turns_in_which_nothing_is_said_are_taken_out():
    assert said(steps.without_empty_turns(dialogue("甲", "……", "乙", " "))) == ["甲", "乙"]


def test_turns_of_one_role_become_one_and_their_spans_move():
    turns = (
        Turn(role="visitor", text="甲甲"),
        Turn(role="counsellor", text="乙", spans=(Span(start=0, end=1, type="A"),)),
        Turn(role="counsellor", text="丙丙", spans=(Span(start=0, end=2, type="B"),)),
    )
    merged = steps.with_turns_merged(dialogue().model_copy(update={"turns": turns}))
    assert said(merged) == ["甲甲", "乙\n丙丙"]
    assert [(s.start, s.end) for s in merged.turns[1].spans] == [(0, 1), (2, 4)]
    assert steps.with_turns_merged(merged) is merged


def test_a_dialogue_that_goes_round_ends_before_its_first_repeat_on_a_counsellor():
    record = dialogue(
        "开头。", "第一个回答。", LOOP, "第二个回答，慢慢说。", LOOP, "第二个回答，慢慢说。", LOOP, "完。"
    )
    assert said(steps.cut_at_loop(record)) == ["开头。", "第一个回答。", LOOP, "第二个回答，慢慢说。"]


def test_a_dialogue_that_begins_with_its_loop_is_left_with_nothing():
    record = dialogue(LOOP, "好", LOOP, "好", LOOP, "好", first="counsellor")
    assert said(steps.cut_at_loop(record)) == [LOOP]
    assert said(steps.cut_at_loop(dialogue(LOOP, LOOP, LOOP, LOOP, LOOP, LOOP))) == [LOOP, LOOP]


def test_one_repeat_and_short_thanks_are_no_loop():
    once = dialogue("开头。", "回答。", LOOP, "回答一。", LOOP, "回答二。")
    thanks = dialogue(*["谢谢你。", "不客气。"] * 4)
    assert steps.cut_at_loop(once) is once
    assert steps.cut_at_loop(thanks) is thanks


@pytest.mark.parametrize(("record", "reason"), [
    (dialogue("甲"), "no_counsellor"),
    (dialogue("甲", first="counsellor"), "no_visitor"),
    (dialogue(), "no_counsellor"),
])  # fmt: skip
def test_a_dialogue_needs_both_voices(record, reason):
    assert steps.need_both_voices(record) == Drop(reason)


def test_other_kinds_need_no_voices():
    document = dialogue().model_copy(update={"kind": "document", "text": "文章"})
    assert steps.need_both_voices(document) is document
