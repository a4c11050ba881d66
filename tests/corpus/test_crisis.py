import tomllib

import pytest

from psyllm.core.records import Answer, Record, Turn
from psyllm.core.starter import level_by_hand, starter_records
from psyllm.corpus import crisis
from psyllm.corpus.crisis import CRISIS, REANSWERED, attends, is_crisis, treat
from psyllm.safety.guard import check, names_contact
from psyllm.safety.notices import Notice
from psyllm.safety.patterns import compile_pattern
from psyllm.text.fold import screening_fold

TABLES = tomllib.loads(CRISIS.read_text("utf-8"))
IGNORES = "我能理解你的心情，我们可以先从整理房间开始，慢慢找回生活的节奏。"
ATTENDS = "请先告诉一个你信任的人，也可以拨打心理援助热线。"
WANTS_TO_DIE = "我真的不想活了，每天都在想怎么去死。"
PLANS = "我已经写好遗书了，今晚就准备从楼上跳下去。"
VIOLENCE = "我老公昨晚又打我，打得我满脸是血。"
FLAGS = ("level:risk",)


def dialogue(*texts, flags=FLAGS):
    roles = ("visitor", "counsellor")
    turns = tuple(Turn(role=roles[n % 2], text=text) for n, text in enumerate(texts))
    return Record(id="a:1", kind="dialogue", group="a:1", source="a", licence="x", turns=turns, flags=flags)


def question(title, *answers):
    found = tuple(Answer(text=text) for text in answers)
    return Record(
        id="a:1",
        kind="question",
        group="a:1",
        source="a",
        licence="x",
        title=title,
        answers=found,
        flags=FLAGS,
    )


@pytest.mark.parametrize("row", TABLES["signs"], ids=lambda row: row["id"])
def test_a_sign_matches_what_it_must_and_nothing_else(row):
    pattern = compile_pattern(row["pattern"], TABLES["parts"])
    assert row["source"]
    assert [text for text in row["must_match"] if not pattern.search(screening_fold(text).text)] == []
    assert [text for text in row["must_not_match"] if pattern.search(screening_fold(text).text)] == []


@pytest.mark.parametrize("row", TABLES["replies"], ids=lambda row: row["text"][:8])
def test_a_reply_of_the_protocol_attends_and_may_be_shown(row):
    assert row["notice"] in {Notice.RISK, Notice.URGENT, Notice.IN_PROGRESS}
    assert attends(row["text"])
    assert check(row["text"], final=True).passed
    assert not names_contact(row["text"])
    assert "！" not in row["text"]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ((), False),
        (("level:distress",), False),
        (("x", "level:urgent"), True),
        (("level:in_progress",), True),
    ],
)
def test_a_crisis_is_what_cleaning_flagged(flags, found):
    assert is_crisis(flags) is found


def test_a_reply_that_attends_at_once_or_next_leaves_the_record_as_it_is():
    for record in (
        dialogue(WANTS_TO_DIE, ATTENDS),
        dialogue(WANTS_TO_DIE, IGNORES, "嗯。", ATTENDS),
        dialogue("你好", "你好", WANTS_TO_DIE),
    ):
        assert treat(record, "reanswer") == (record, "attended", 0)


def test_a_reply_that_comes_too_late_does_not_attend():
    record = dialogue(WANTS_TO_DIE, IGNORES, "嗯。", IGNORES, "好。", ATTENDS)
    assert treat(record, "keep").outcome == "ignored"


def test_what_passed_over_it_and_what_follows_give_way_to_the_protocol():
    record = dialogue("你好", "请说。", WANTS_TO_DIE, IGNORES, "谢谢。", IGNORES)
    treated = treat(record, "reanswer")
    assert treated.outcome == "reanswered"
    assert [turn.text for turn in treated.record.turns[:3]] == ["你好", "请说。", WANTS_TO_DIE]
    assert len(treated.record.turns) == 4
    assert treated.record.turns[3].role == "counsellor"
    assert attends(treated.record.turns[3].text)
    assert treated.record.flags == (*FLAGS, REANSWERED)
    assert treated.record.id == record.id
    assert treat(record, "reanswer") == treated


def test_the_reply_fits_the_level():
    replies = crisis._replies()
    for said, notice in (("最近很绝望，常常想死。", "risk"), (PLANS, "urgent")):
        changed = treat(dialogue(said, IGNORES), "reanswer").record
        assert changed.turns[-1].text in replies[notice]


@pytest.mark.parametrize("said", [VIOLENCE, "新闻里说有一个学生因为考试跳楼自杀，为什么会这样？"])
def test_danger_to_others_or_at_large_is_left_out_because_no_reply_fits(said):
    assert treat(dialogue(said, IGNORES), "reanswer") == (None, "left_out", 0)


def test_what_was_asked_before_the_greatest_danger_counts():
    record = dialogue(WANTS_TO_DIE, "你有没有想过伤害自己？", PLANS, IGNORES, "嗯。", IGNORES)
    assert treat(record, "reanswer").outcome == "attended"


def test_what_a_person_of_this_project_wrote_or_reviewed_stays():
    ignored = dialogue(WANTS_TO_DIE, IGNORES)
    for record in (
        ignored.model_copy(update={"reviewed_by": "a psychologist"}),
        ignored.model_copy(update={"flags": (*FLAGS, "level_by_hand:distress")}),
    ):
        assert treat(record, "reanswer") == (record, "attended", 0)
    asked = question(WANTS_TO_DIE, IGNORES, IGNORES)
    ours = asked.answers[0].model_copy(update={"author": "counsellor"})
    assert treat(
        asked.model_copy(update={"answers": (ours, asked.answers[1])}), "reanswer"
    ).record.answers == (ours,)


def test_of_the_bundled_corpus_nothing_is_changed():
    crises = [
        record for record in starter_records() if level_by_hand(record) in {"risk", "urgent", "in_progress"}
    ]
    assert len(crises) > 20
    assert all(treat(record, "reanswer").record == record for record in crises)


def test_leaving_out_and_keeping_change_no_text():
    record = dialogue(WANTS_TO_DIE, IGNORES)
    assert treat(record, "leave_out") == (None, "left_out", 0)
    assert treat(record, "keep") == (record, "ignored", 0)


def test_danger_that_only_turns_together_tell_is_not_answered_anew():
    record = dialogue("我", "嗯", "好", "嗯", flags=FLAGS)
    assert treat(record, "reanswer").outcome == "attended"


def test_of_a_question_the_answers_that_attend_stay():
    treated = treat(question(WANTS_TO_DIE, IGNORES, ATTENDS, IGNORES), "reanswer")
    assert [answer.text for answer in treated.record.answers] == [ATTENDS]
    assert treated.outcome == "attended"
    assert treated.answers_left_out == 2


def test_a_question_that_all_answers_pass_over_gets_one_of_the_protocol():
    treated = treat(question(WANTS_TO_DIE, IGNORES), "reanswer")
    (answer,) = treated.record.answers
    assert answer.written_for_this_project
    assert answer.author == "project"
    assert attends(answer.text)
    assert treated.outcome == "reanswered"
