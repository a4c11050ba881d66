"""Danger in English, and danger said without its usual words, beside ordinary talk that sounds like it."""

import tomllib
from pathlib import Path

import pytest

from psyllm.safety.levels import Level
from psyllm.safety.screen import screen

PHRASES = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))


def test_danger_without_its_usual_words_is_found_but_for_what_is_known_to_be_missed():
    missed = {text for text in PHRASES["danger_unnamed"] if screen([text]).level < Level.RISK}
    assert missed <= set(PHRASES["known_misses"])


def test_ordinary_talk_right_beside_it_is_left_alone_but_for_what_is_known_to_alarm():
    alarms = {text for text in PHRASES["everyday_near"] if screen([text]).level >= Level.RISK}
    assert alarms <= set(PHRASES["known_alarms"])


def test_what_is_known_to_be_misread_is_a_small_part():
    assert len(PHRASES["known_misses"]) < 0.1 * len(PHRASES["danger_unnamed"])
    assert len(PHRASES["known_alarms"]) < 0.15 * len(PHRASES["everyday_near"])


@pytest.mark.parametrize(
    ("level", "texts"),
    [
        (
            Level.IN_PROGRESS,
            [
                "I've taken 30 paracetamol",
                "I just took a bunch of Xanax",
                "I swallowed the whole bottle",
                "I'm bleeding a lot, I cut too deep",
                "He is beating me right now",
                "我把农药喝下去了",
                "我割腕了，流了好多血",
                "我老公现在拿着刀追我",
                "他正在打我，我在流血",
            ],
        ),
        (
            Level.URGENT,
            [
                "I'm going to step in front of a train",
                "I've been hoarding pills",
                "I have a gun next to me",
                "by the time you read this I'll be gone",
                "I'm going to jump tonight after class",
                "he said he will kill me if I leave",
                "看电影回来他掐我脖子",
            ],
        ),
        (
            Level.RISK,
            [
                "I wish I wouldn't wake up tomorrow",
                "my stepdad touches me at night",
                "怕睡觉，希望有车撞死我",
            ],
        ),
        (Level.DISTRESS, ["I'm a burden to everyone", "I see no way out"]),
    ],
)
def test_a_plain_sentence_gets_its_level(level, texts):
    wrong = {text: screen([text]).level.label for text in texts if screen([text]).level != level}
    assert not wrong


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("my friend wrote a goodbye letter", "other"),
        ("my sister wants to disappear forever", "other"),
        ("I'm worried my sister wants to kill herself", "other"),
        ("my daughter took a whole bottle of pills", "other"),
        ("I want to hurt someone", "other"),
        ("I hate my mom and want to die", "self"),
        ("my boyfriend left me and I want to die", "self"),
        ("my husband left, want to die", "self"),
        ("he makes me want to die", "self"),
        ("my wife says I should kill myself", "self"),
        ("my husband chokes me", "harm_by_other"),
    ],
)
def test_a_reason_in_english_says_whose_life_is_in_danger(text, about):
    assert {reason.about for reason in screen([text]).reasons if reason.level >= Level.RISK} == {about}
