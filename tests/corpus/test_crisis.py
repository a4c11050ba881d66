import tomllib

import pytest

from psyllm.core.records import Answer, Record, Turn
from psyllm.core.starter import level_by_hand, starter_records
from psyllm.corpus import crisis
from psyllm.corpus.attending import CRISIS
from psyllm.corpus.crisis import REANSWERED, is_crisis, treat

TABLES = tomllib.loads(CRISIS.read_text("utf-8"))
TEXTS = [row["text"] for row in TABLES["replies"]]
IGNORES = "我能理解你的心情，我们可以先从整理房间开始，慢慢找回生活的节奏。"
ATTENDS = "请先告诉一个你信任的人，也可以拨打心理援助热线。"
WANTS_TO_DIE = "我真的不想活了，每天都在想怎么去死。"
WISHES_TO_DIE = "最近很绝望，常常想死。"
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
        dialogue(WISHES_TO_DIE, ATTENDS),
        dialogue(WISHES_TO_DIE, IGNORES, "嗯。", ATTENDS),
    ):
        assert treat(record, "reanswer") == (record, "attended", 0)


def test_what_harms_is_never_kept_whatever_attends_beside_it():
    record = dialogue("你好", "请说。", WANTS_TO_DIE, ATTENDS, "嗯。", "你真没用，去医院看看吧。")
    assert treat(record, "keep").outcome == "ignored"
    treated = treat(record, "reanswer")
    assert treated.outcome == "reanswered"
    assert [turn.text for turn in treated.record.turns[:3]] == ["你好", "请说。", WANTS_TO_DIE]
    assert len(treated.record.turns) == 4
    too_early = dialogue("你好", "你真没用。", WANTS_TO_DIE, ATTENDS)
    assert treat(too_early, "reanswer") == (None, "left_out", 0)


@pytest.mark.parametrize(
    "reply", ["找一位心理咨询师聊聊吧，会好的。", "找朋友聊聊天，散散心。", "嗯，你还好吗？"]
)
def test_to_a_plan_the_first_reply_has_to_name_emergency_help_or_somebody_near(reply):
    assert treat(dialogue(PLANS, reply, "嗯。", ATTENDS), "keep").outcome == "ignored"
    assert treat(dialogue(PLANS, ATTENDS, "嗯。", reply), "keep").outcome == "attended"


def test_to_a_plan_a_reply_that_seems_to_attend_stays_only_when_somebody_reviewed_it():
    record = dialogue(PLANS, ATTENDS)
    for policy in ("reanswer", "leave_out"):
        assert treat(record, policy) == (None, "unreviewed", 0)
    reviewed = record.model_copy(update={"reviewed_by": "two reviewers"})
    assert treat(reviewed, "reanswer").record == reviewed
    earlier = dialogue(PLANS, ATTENDS, "我已经吃了一瓶安眠药", IGNORES)
    assert treat(earlier, "reanswer") == (None, "unreviewed", 0)
    later = dialogue(WANTS_TO_DIE, IGNORES, PLANS, ATTENDS)
    assert treat(later, "reanswer").outcome == "reanswered"


def test_of_a_question_about_a_plan_only_answers_that_somebody_reviewed_stay():
    asked = question(PLANS, ATTENDS, IGNORES)
    assert treat(asked, "reanswer") == (None, "unreviewed", 0)
    reviewed = asked.answers[0].model_copy(update={"reviewed_by": "two reviewers"})
    one = asked.model_copy(update={"answers": (reviewed, *asked.answers)})
    assert treat(one, "reanswer").record.answers == (reviewed,)
    assert treat(question(PLANS, IGNORES), "reanswer").outcome == "reanswered"


def test_a_greater_danger_is_not_covered_by_a_reply_to_a_lesser_one():
    record = dialogue(
        "我不想活了", "可以找心理咨询师聊聊。", "谢谢，试过了", "嗯嗯，多喝热水。",
        "我现在站在楼顶，马上就要跳下去了", "想开点，聊聊你的爱好吧。",
    )  # fmt: skip
    treated = treat(record, "reanswer")
    assert treated.outcome == "reanswered"
    assert treated.record.turns[:5] == record.turns[:5]
    assert treated.record.turns[5].text in crisis._replies()["in_progress"]


@pytest.mark.parametrize(
    "later",
    [
        ("我已经吃了一瓶安眠药",),
        ("我已经吃了一瓶安眠药", "想开点。"),
        ("我已经吃了一瓶安眠药", "请马上打 120，告诉他们你在哪里。"),
        ("谢谢。",),
    ],
)
def test_the_first_danger_that_was_passed_over_is_where_it_is_answered(later):
    blames = "多出去跑跑步就好了，年轻人别矫情。"
    treated = treat(dialogue("我不想活了，每天都想死", blames, *later), "reanswer")
    assert treated.outcome == "reanswered"
    assert [turn.role for turn in treated.record.turns] == ["visitor", "counsellor"]
    assert treated.record.turns[1].text in crisis._replies()["risk"]


def test_danger_that_nobody_replied_to_is_no_help_that_was_given():
    for record in (
        dialogue("你好", "你好", WANTS_TO_DIE),
        dialogue(WISHES_TO_DIE, ATTENDS, "我已经吃了一瓶安眠药"),
    ):
        assert treat(record, "reanswer") == (record, "no_reply", 0)


def test_words_of_one_message_each_are_danger_together():
    record = dialogue("我", "嗯", "想", "嗯", "死", IGNORES)
    assert treat(record, "keep").outcome == "ignored"


@pytest.mark.parametrize(
    "said",
    [
        "我在感情里总怕伤害自己和别人，该怎么办？",
        "我不想活在这种压力之下了。",
        "这样的日子太苦，我不想这样活着。",
        "在大城市里我真的活不起啊。",
        "他打电话来，以自杀来威胁我，要我继续做。",
        "我的人生是不是到这里就要结束了呢，希望大家给点建议。",
        "当初我为什么会把这孩子生下来。",
    ],
)
def test_a_reply_about_the_wish_to_die_is_not_given_where_none_is_spoken_of(said):
    assert treat(dialogue(said, IGNORES), "reanswer").outcome != "reanswered"


def test_what_says_plainly_that_somebody_wants_to_die_says_it():
    fits, rows = crisis._fits(), TABLES["fits"]
    for name, pattern in (("plainly", fits.plainly), ("of_another", fits.of_another)):
        assert [text for text in rows[f"{name}_must_match"] if not pattern.search(text)] == []
        assert [text for text in rows[f"{name}_must_not_match"] if pattern.search(text)] == []


def test_a_reply_that_comes_too_late_does_not_attend():
    record = dialogue(WISHES_TO_DIE, IGNORES, "嗯。", IGNORES, "好。", ATTENDS)
    assert treat(record, "keep").outcome == "ignored"


def test_what_passed_over_it_and_what_follows_give_way_to_the_protocol():
    record = dialogue("你好", "请说。", WANTS_TO_DIE, IGNORES, "谢谢。", IGNORES)
    treated = treat(record, "reanswer")
    assert treated.outcome == "reanswered"
    assert [turn.text for turn in treated.record.turns[:3]] == ["你好", "请说。", WANTS_TO_DIE]
    assert len(treated.record.turns) == 4
    assert treated.record.turns[3].role == "counsellor"
    assert treated.record.turns[3].text in TEXTS
    assert treated.record.flags == (*FLAGS, REANSWERED)
    assert treated.record.id == record.id
    assert treat(record, "reanswer") == treated


def test_the_reply_fits_the_level():
    replies = crisis._replies()
    for said, notice in ((WISHES_TO_DIE, "risk"), (PLANS, "urgent")):
        changed = treat(dialogue(said, IGNORES), "reanswer").record
        assert changed.turns[-1].text in replies[notice]


@pytest.mark.parametrize("said", [VIOLENCE, "新闻里说有一个学生因为考试跳楼自杀，为什么会这样？"])
def test_danger_to_others_or_at_large_is_left_out_because_no_reply_fits(said):
    assert treat(dialogue(said, IGNORES), "reanswer") == (None, "left_out", 0)


def test_what_was_asked_before_a_greater_danger_does_not_answer_it():
    record = dialogue(WISHES_TO_DIE, "你有没有想过伤害自己？", PLANS, IGNORES, "嗯。", IGNORES)
    treated = treat(record, "reanswer")
    assert treated.outcome == "reanswered"
    assert len(treated.record.turns) == 4


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


@pytest.mark.parametrize(
    ("record", "level"),
    [
        (dialogue("今天", "嗯", "天气不错", "嗯", flags=FLAGS), "risk"),
        # A place swallowed words that were read while cleaning.
        (dialogue("我在〔地址〕楼顶", "可以找心理咨询师聊聊，慢慢来。"), "in_progress"),
        (dialogue(WISHES_TO_DIE, ATTENDS, "我在〔地址〕", "嗯，慢慢来。"), "urgent"),
    ],
)
def test_danger_that_is_not_found_again_is_left_out_and_counted_as_that(record, level):
    record = record.model_copy(update={"flags": (f"level:{level}",)})
    assert treat(record, "reanswer") == (None, "not_found", 0)
    assert treat(record, "leave_out") == (None, "not_found", 0)
    assert treat(record, "keep") == (record, "not_found", 0)


def test_answers_are_judged_by_the_danger_that_was_flagged_where_a_mask_hides_it():
    asked = question(WISHES_TO_DIE, "可以找心理咨询师聊聊，慢慢来。")
    assert treat(asked, "reanswer").record == asked
    flagged = asked.model_copy(update={"flags": ("level:in_progress",)})
    assert treat(flagged, "reanswer") == (None, "left_out", 0)
    assert treat(flagged, "keep").outcome == "ignored"


def test_an_answer_that_harms_goes_though_it_names_help():
    treated = treat(question(WISHES_TO_DIE, "想死就去死吧，报警也没用。", ATTENDS), "reanswer")
    assert [answer.text for answer in treated.record.answers] == [ATTENDS]


def test_of_a_question_the_answers_that_attend_stay():
    treated = treat(question(WISHES_TO_DIE, IGNORES, ATTENDS, IGNORES), "reanswer")
    assert [answer.text for answer in treated.record.answers] == [ATTENDS]
    assert treated.outcome == "attended"
    assert treated.answers_left_out == 2


def test_a_question_that_all_answers_pass_over_gets_one_of_the_protocol():
    treated = treat(question(WANTS_TO_DIE, IGNORES), "reanswer")
    (answer,) = treated.record.answers
    assert answer.written_for_this_project
    assert answer.author == "project"
    assert answer.text in TEXTS
    assert treated.outcome == "reanswered"
