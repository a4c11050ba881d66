"""Levels of single messages and of whole dialogues."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.safety import screen as screen_module
from psyllm.safety.levels import Level
from psyllm.safety.screen import screen

PHRASES = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
TURNS = st.lists(
    st.sampled_from(PHRASES["danger"] + PHRASES["everyday"])
    | st.text("我想死了你不活着自杀没有的念头，。 \u200b", max_size=8),
    min_size=1,
    max_size=7,
)

IN_PROGRESS = ["刚吃了一整瓶药", "我已经割了，血一直流", "我现在在楼顶", "刚刚喝了农药", "正在割腕"]
URGENT = [
    "遗书写好了",
    "我买好炭了",
    "吃多少片安眠药会死",
    "有没有不疼的死法",
    "今晚就去跳楼",
    "永别了",
    "我决定去死了",
    "割腕死过一次，被救回来了",
]
RISK = [
    "不想活了",
    "好想死",
    "想zs",
    "想自鲨",
    "唔想生",
    "不想活著了",
    "一直戒不掉自残",
    "自\u200b杀",
    "我 不 想 活 了",
]
DISTRESS = ["我很绝望", "我撑不住了", "人生没有意义", "我快崩溃了"]
NONE = [
    "今天累死了",
    "笑死我了",
    "跳楼价大甩卖",
    "想死你了",
    "气死我了",
    "看到新闻说有个明星自杀了",
    "我没有自杀的想法",
    "你好",
]


@pytest.mark.parametrize(
    ("level", "texts"),
    [
        (Level.IN_PROGRESS, IN_PROGRESS),
        (Level.URGENT, URGENT),
        (Level.RISK, RISK),
        (Level.DISTRESS, DISTRESS),
        (Level.NONE, NONE),
    ],
)
def test_a_message_gets_its_level(level, texts):
    wrong = {text: screen([text]).level.label for text in texts if screen([text]).level != level}
    assert not wrong


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("我朋友说她想自杀", "other"),
        ("我的闺蜜想跳楼", "other"),
        ("真想弄死他", "other"),
        ("老公家暴我", "harm_by_other"),
        ("妈妈让我去死", "harm_by_other"),
        ("被男友甩了，我想死", "self"),
        ("他让我想自杀", "self"),
        ("想自杀", "self"),
    ],
)
def test_a_reason_says_whose_life_is_in_danger(text, about):
    assert about in {reason.about for reason in screen([text]).reasons if reason.level >= Level.RISK}


def test_phrases_of_danger_are_found_and_everyday_talk_is_left_alone():
    missed = [text for text in PHRASES["danger"] if screen([text]).level < Level.RISK]
    alarms = [text for text in PHRASES["everyday"] + PHRASES["news"] if screen([text]).level >= Level.RISK]
    assert len(missed) <= 0.02 * len(PHRASES["danger"]), missed
    assert len(alarms) <= 0.02 * len(PHRASES["everyday"] + PHRASES["news"]), alarms


def test_said_at_one_turn_it_still_counts_twenty_turns_later():
    screening = screen(["我想死", *["嗯，今天天气不错"] * 20])
    assert screening.level == Level.RISK
    assert screening.message_level == Level.NONE
    assert not screening.may_generate
    assert screening.reasons[-1][3:] == (0, 0)


def test_taking_it_back_does_not_lower_the_level():
    assert screen(["我想死", "我没有自杀的想法了，放心"]).level == Level.RISK


def test_one_word_a_message_is_read_as_one_sentence():
    assert screen(["我", "想", "死"]).level == Level.RISK
    assert screen(["我", "想", "死", "你了"]).level == Level.RISK
    assert screen(["我想死党了", "今天见到他们很开心的一天"]).level == Level.NONE


@given(TURNS, TURNS)
def test_a_turn_more_never_lowers_the_level(turns, more):
    assert screen(turns + more).level >= screen(turns).level


@given(TURNS)
def test_the_level_of_a_dialogue_is_no_less_than_that_of_any_turn(turns):
    assert screen(turns).level >= max(screen([turn]).level for turn in turns)


@given(TURNS)
def test_reasons_point_into_the_last_turn_and_hold_no_words(turns):
    screening = screen(turns)
    for reason in screening.reasons:
        assert 0 <= reason.start <= reason.end <= len(turns[-1])
        assert reason.rule.isascii()
    assert screening.message_level <= screening.level


def test_a_reason_points_at_the_words_as_they_were_written():
    text = "昨天很累，自\u200b杀的念头"
    reason = screen([text]).reasons[0]
    assert text[reason.start : reason.end] == "自\u200b杀"


@given(st.sampled_from(PHRASES["danger"]), st.sampled_from(["\u200b", "\u2060", "\ufe0f", "\u0336"]))
def test_invisible_characters_hide_nothing(text, invisible):
    assert screen([invisible.join(text)]).level >= screen([text]).level


def test_what_follows_from_a_level():
    none, distress, risk, urgent = (screen([text]) for text in ("你好", "我很绝望", "我想死", "遗书写好了"))
    assert [one.may_generate for one in (none, distress, risk, urgent)] == [True, True, False, False]
    assert [one.needs_case for one in (none, distress, risk, urgent)] == [False, False, True, True]
    assert [one.shows_help for one in (none, distress, risk, urgent)] == [False, False, True, True]
    assert [one.help_first for one in (none, distress, risk, urgent)] == [False, False, False, True]


def test_nothing_to_look_at_is_an_error_not_safety():
    with pytest.raises(ValueError, match="at least one"):
        screen([])


def test_a_fault_inside_reaches_the_caller(monkeypatch):
    def broken(text, *, stands):
        raise RuntimeError("fold")

    monkeypatch.setattr(screen_module, "screening_fold", broken)
    with pytest.raises(RuntimeError):
        screen(["我想死"])


def test_danger_split_over_short_lines_is_read_as_one():
    assert screen(["我想\n死"]).level is Level.RISK
    assert screen(["我\n不想\n活了"]).level is Level.RISK
    assert screen(["我想\n喝水"]).level is Level.NONE


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("I want to kill myself", Level.RISK),
        ("thinking about ending my life", Level.RISK),
        ("wo xiang si", Level.RISK),
        ("k i l l myself", Level.RISK),
        ("how to die painlessly", Level.URGENT),
        ("I took an overdose", Level.IN_PROGRESS),
        ("How do I sleep better before an exam?", Level.NONE),
    ],
)
def test_danger_in_english_letters_is_seen(text, level):
    assert screen([text]).level is level
