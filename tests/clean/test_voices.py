import pytest

from psyllm.clean.drop import Drop
from psyllm.clean.model_voice import leave_out_model_voice
from psyllm.clean.roles import FLAG, turn_swapped_roles, turned
from psyllm.core.records import Answer, Record, Turn

VISITOR = (
    "我最近总是睡不着，晚上一躺下就想白天的事，觉得自己什么都做不好，不知道该怎么办。",
    "我爸妈总说我想太多，我跟他们说不清楚，每次都吵起来，我真的很难受。",
)
COUNSELLOR = (
    "听起来这段时间你承受了很多。你可以试着在睡前把担心的事情写下来，给自己一点时间，慢慢来。",
    "我能理解你的感受，被最亲近的人误解确实很委屈。你愿意说说最近一次争吵是怎么开始的吗？",
)


def dialogue(*pairs):
    turns = [
        turn
        for asked, replied in pairs
        for turn in (Turn(role="visitor", text=asked), Turn(role="counsellor", text=replied))
    ]
    return Record(id="a:1", kind="dialogue", group="a:1", source="a", licence="x", turns=tuple(turns))


def test_a_dialogue_in_which_a_model_speaks_is_dropped():
    given = dialogue(("我睡不着。", "作为一个AI语言模型，我没有情感，但我可以给你一些建议。"))
    assert leave_out_model_voice(given) == Drop("model_voice")


def test_a_visitor_may_say_anything_of_machines():
    given = dialogue(
        ("作为一个AI语言模型，你懂什么？我是一个机器人，每天重复。", "你觉得没有人真的听你说话。")
    )
    assert leave_out_model_voice(given) is given


def test_answers_of_models_go_and_the_others_stay():
    answers = (Answer(text="很抱歉，我无法提供医疗建议。"), Answer(text=COUNSELLOR[0]))
    given = Record(
        id="a:1", kind="question", group="a:1", source="a", licence="x", title="怎么办", answers=answers
    )
    assert leave_out_model_voice(given).answers == answers[1:]
    assert leave_out_model_voice(given.model_copy(update={"answers": answers[:1]})) == Drop("model_voice")


def test_swapped_roles_are_turned_and_flagged_once():
    real = dialogue(*zip(VISITOR, COUNSELLOR, strict=True))
    swapped = real.model_copy(update={"turns": turned(real.turns)})
    found = turn_swapped_roles(swapped)
    assert found.turns == real.turns
    assert found.flags == (FLAG,)
    assert turn_swapped_roles(found) is found


@pytest.mark.parametrize("given", [
    dialogue(*zip(VISITOR, COUNSELLOR, strict=True)),
    dialogue(*zip(COUNSELLOR, COUNSELLOR, strict=True)),
    dialogue(("你好。", "你好。")),
])  # fmt: skip
def test_roles_that_may_be_right_are_left(given):
    assert turn_swapped_roles(given) is given
