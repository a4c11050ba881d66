"""Cleaning neither takes words of danger away nor drops them uncounted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.clean.batches import clean_batch
from psyllm.clean.drop import Drop
from psyllm.clean.steps import steps, visitor_level
from psyllm.clean.tally import Tally
from psyllm.core.records import Answer, Record, Turn, records_to_batch
from psyllm.core.settings import CleanSettings
from psyllm.safety.levels import Level

STEPS = steps(CleanSettings())
LISTENS = "听起来你这段时间真的很不容易，愿意多说一点吗？"
REPEATED = "我们可以先试着慢慢呼吸，感受一下此刻。"


def dialogue(*said):
    turns = tuple(
        Turn(role=("visitor", "counsellor")[place % 2], text=text) for place, text in enumerate(said)
    )
    return Record(id="a:1", kind="dialogue", group="a", source="a", licence="x", turns=turns)


def cleaned(record):
    tally = Tally()
    return clean_batch(records_to_batch([record]), STEPS, tally), tally


CONFESSIONS = {
    "in brackets": dialogue(
        "最近工作不太顺利，和同事也处不好。", LISTENS, "（其实我每天都想自杀，药已经买好了）\n就是有点累。", LISTENS
    ),
    "a farewell behind thanks": dialogue(
        "最近工作不太顺利，和同事也处不好。", LISTENS, "谢谢你。", "不客气，祝你一切都好。", "好的，谢谢。", "不用谢，再见。",
        "谢谢你，安眠药我攒够一瓶了，今晚就吃，再见。", "再见，保重。",
    ),
    "a jump behind thanks": dialogue(
        "最近工作不太顺利，和同事也处不好。", LISTENS, "谢谢你。", "不客气，祝你一切都好。", "好的，谢谢。", "不用谢，再见。",
        "谢谢，遗书我写好了，今晚我就从楼上跳下去，再见。", "再见，保重。",
    ),
    "behind a loop": dialogue(
        "最近工作不太顺利，和同事也处不好。", REPEATED, "我试了，没有什么用。", REPEATED, "还是不行。", REPEATED,
        "我今晚就要跳楼自杀，遗书已经写好了。", REPEATED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFESSIONS)
def test_the_sentence_that_tells_of_the_danger_stays(name):
    record = CONFESSIONS[name]
    assert visitor_level(record) >= Level.URGENT
    found, _ = cleaned(record)
    (kept,) = found.records
    assert visitor_level(kept) >= Level.URGENT
    assert any(flag in kept.flags for flag in ("level:urgent", "level:in_progress"))


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record(id="a:1", kind="question", group="a", source="a", licence="x", title="我想自杀",
                answers=(Answer(text=LISTENS + REPEATED + "今晚先别一个人待着，好吗？"),)), "short_question"),
        (Record(id="a:1", kind="question", group="a", source="a", licence="x",
                title="我今晚就要自杀，遗书写好了，谁来救救我", answers=(Answer(text="加油"),)), "no_answer"),
        (dialogue("我今晚就要自杀，遗书写好了，谁来救救我"), "no_counsellor"),
    ],
)  # fmt: skip
def test_danger_that_is_dropped_has_its_flag_and_is_counted(record, reason):
    found, tally = cleaned(record)
    (row,) = found.dropped.to_pylist()
    assert row["reason"] == reason
    level = next(flag for flag in row["flags"] if flag.startswith("level:"))
    assert tally.dropped_flags == {f"{reason}/{level}": 1}


SENTENCES = [
    "谢谢你。", "不客气，再见。", "（沉默了一会儿）", "我想自杀。", "我今晚就跳下去。", "药已经买好了。", "好的，加油。",
    "最近总是睡不着觉，心里很难受。", REPEATED, LISTENS, "（我每天都想死）", "嗯嗯，知道了。", "祝你一切顺利，晚安。",
]  # fmt: skip


@given(
    st.lists(
        st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3).map("\n".join), min_size=2, max_size=12
    )
)
def test_no_step_lowers_the_level_of_what_was_marked(said):
    record = dialogue(*said)
    marked = False
    for step in STEPS:
        result = step.apply(record)
        if isinstance(result, Drop):
            return
        if marked:
            assert visitor_level(result) >= visitor_level(record), step.name
        marked |= step.name == "mark_level"
        record = result
