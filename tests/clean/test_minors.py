import pytest

from psyllm.clean.minors import FLAGS, mark_minors, may_tell_age
from psyllm.clean.steps import steps
from psyllm.core.records import Answer, Record, Turn
from psyllm.core.settings import CleanSettings

REPLY = "谢谢你愿意说出来，这一定很不容易。你可以先找一位信任的老师或者家人，把这些慢慢说给他们听，好吗？"


def dialogue(*said):
    turns = [
        turn
        for text in said
        for turn in (Turn(role="visitor", text=text), Turn(role="counsellor", text=REPLY))
    ]
    return Record(id="a:1", kind="dialogue", group="a:1", source="a", licence="x", turns=tuple(turns))


@pytest.mark.parametrize(("said", "flag"), [
    ("我今年15岁，不想上学。", "minor"),
    ("我现在初二，同学都不理我。", "minor"),
    ("女儿今年上小学三年级了，总是哭。", "about_minor"),
    ("我今年35岁，工作很累。", None),
    ("我16岁那年父亲走了，到现在我还会梦到他。", None),
])  # fmt: skip
def test_the_visitors_own_words_tell(said, flag):
    assert mark_minors(dialogue(said)).flags == ((flag,) if flag else ())


def test_own_words_outweigh_those_about_a_child_and_a_counsellors_count_for_nothing():
    assert mark_minors(dialogue("我今年15岁，我妹妹今年8岁。")).flags == ("minor",)
    turns = (
        Turn(role="visitor", text="我睡不着。"),
        Turn(role="counsellor", text="我今年15岁的时候也这样。我现在初二。"),
    )
    assert mark_minors(dialogue().model_copy(update={"turns": turns})).flags == ()


def test_questions_are_marked_documents_are_not_and_other_flags_stay():
    asked = Record(
        id="a:1", kind="question", group="a:1", source="a", licence="x", title="怎么办",
        text="我是一名高三学生，压力很大。", answers=(Answer(text=REPLY),), flags=("x", "about_minor"),
    )  # fmt: skip
    assert mark_minors(asked).flags == ("x", "minor")
    assert mark_minors(mark_minors(asked)) == mark_minors(asked)
    assert mark_minors(asked.model_copy(update={"kind": "document", "flags": ()})).flags == ()


def test_a_flag_that_stands_is_not_taken_back():
    once = dialogue("好多了。").model_copy(update={"flags": ("x", "minor")})
    assert mark_minors(once) is once
    child = once.model_copy(update={"flags": ("about_minor",)})
    assert mark_minors(child) is child
    both = once.model_copy(update={"flags": ("about_minor", "minor")})
    assert may_tell_age([once, both]) == [True, True]
    assert mark_minors(both).flags == ("minor",)


def test_a_minor_is_never_dropped_for_being_one():
    found = dialogue("我今年15岁，不想活了。")
    for step in steps(CleanSettings()):
        found = step.apply(found)
        assert isinstance(found, Record), step.name
    assert set(FLAGS) & set(found.flags)
    assert any(flag.startswith("level:") for flag in found.flags)
