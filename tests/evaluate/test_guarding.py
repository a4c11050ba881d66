"""The guard's verdicts are passed on and its reasons counted."""

from psyllm.evaluate.guarding import Judged, count_reasons, judge
from psyllm.safety.guard import check


def test_each_answer_gets_the_guards_own_verdict():
    answers = ["听起来这段时间你过得很辛苦，愿意再多说一点发生了什么吗？", "好" * 300, ""]
    judged = judge(answers, ["我最近很累"] * len(answers))
    for answer, verdict in zip(answers, judged, strict=True):
        wanted = check(answer, final=True)
        assert verdict == (wanted.passed, tuple(wanted.reasons))
    assert judged[0].passed
    assert not judged[1].passed


def test_an_answer_is_judged_by_what_its_own_visitor_said():
    answer = "抑郁症是一种常见的心理问题，很多人都会遇到，你并不孤单。"
    unasked, asked = judge([answer, answer], ["我最近总是哭", "医生说我有抑郁症"])
    assert unasked == (False, ("unasked-disorder",))
    assert asked.passed


def test_a_reason_counts_once_an_answer():
    judged = [
        Judged(passed=True, reasons=()),
        Judged(passed=False, reasons=("loop", "dose", "loop")),
        Judged(passed=False, reasons=("loop",)),
    ]
    assert count_reasons(judged) == {"dose": 1, "loop": 2}
    assert count_reasons([]) == {}
