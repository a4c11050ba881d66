"""The fixed texts: which one, and what none of them may say."""

import re

import pytest

from psyllm.core.language import Language
from psyllm.safety.directory import numbers
from psyllm.safety.guard import load_guard
from psyllm.safety.levels import Level
from psyllm.safety.notices import Notice, notice_for
from psyllm.safety.patterns import sentence_around
from psyllm.safety.screen import Reason, Screening, screen
from psyllm.text.fold import screening_fold


@pytest.mark.parametrize(
    ("turns", "notice"),
    [
        (["刚吃了一整瓶药"], Notice.IN_PROGRESS),
        (["遗书写好了"], Notice.URGENT),
        (["我想死"], Notice.RISK),
        (["我朋友说她想自杀"], Notice.OTHER_IN_DANGER),
        (["真想弄死他"], Notice.OTHER_IN_DANGER),
        (["老公家暴我"], Notice.HARM_BY_OTHER),
        (["老公家暴我，我不想活了"], Notice.RISK),
        (["我想死", "今天天气不错"], Notice.RISK),
        (["你好"], Notice.HELD),
        (["我朋友刚吞了一瓶药"], Notice.OTHER_IN_PROGRESS),
        (["我妈喝了农药"], Notice.OTHER_IN_PROGRESS),
        (["他走了，我吃了一整瓶药"], Notice.IN_PROGRESS),
        (["室友说她想自杀", "我也想死", "我不知道该和谁说这些事情"], Notice.RISK),
        (["老公喝酒以后打我，上个礼拜掐我脖子"], Notice.HARM_BY_OTHER),
        (["他推我，撞在门框上，缝了四针"], Notice.HARM_BY_OTHER),
        (["我把菜刀藏进书包了，我弄死他"], Notice.OTHER_IN_DANGER),
    ],
)
def test_a_screening_gets_its_notice(turns, notice):
    assert notice_for(screen(turns)) is notice


@pytest.mark.parametrize("level", [Level.RISK, Level.URGENT, Level.IN_PROGRESS])
def test_the_greatest_danger_decides_whom_the_notice_speaks_of(level):
    def notice(*about):
        reasons = tuple(Reason(f"rule-{one}", level, one, 0, 0) for one in about)
        lesser = Reason("lesser", Level.DISTRESS, "self", 0, 0)
        return notice_for(Screening(level, level, (*reasons, lesser), "test"))

    assert notice("harm_by_other") is Notice.HARM_BY_OTHER
    happening = level is Level.IN_PROGRESS
    assert notice("other") is (Notice.OTHER_IN_PROGRESS if happening else Notice.OTHER_IN_DANGER)
    assert notice("self") is notice("self", "harm_by_other") is notice()
    assert (
        notice("self")
        is {
            Level.RISK: Notice.RISK,
            Level.URGENT: Notice.URGENT,
            Level.IN_PROGRESS: Notice.IN_PROGRESS,
        }[level]
    )


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_is_calm_and_names_known_numbers_only(notice, language):
    words = notice.words(language)
    assert len(words) > 40
    assert not set("！!") & set(words)
    assert set(re.findall(r"\d{3,}", words)) <= numbers()


@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_in_english_says_the_same_as_the_chinese_one(notice):
    chinese, english = notice.words(Language.ZH), notice.words(Language.EN)
    assert not re.search("[一-鿿]", english)
    assert chinese.count("\n\n") == english.count("\n\n")
    assert set(re.findall(r"\d{3,}", chinese)) == set(re.findall(r"\d{3,}", english))


def test_an_english_notice_that_names_a_mainland_number_says_what_to_do_elsewhere():
    for notice in Notice:
        english = notice.words(Language.EN)
        if re.search(r"\d{3,}", english):
            assert "mainland China, elsewhere the local emergency number" in english


@pytest.mark.parametrize(
    "claim", ["notified", "informed", "on the way", "will call you", "we have told", "alerted"]
)
def test_no_english_notice_claims_that_anybody_was_told(claim):
    assert [notice for notice in Notice if claim in notice.words(Language.EN).lower()] == []


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_says_nothing_that_the_guard_forbids(notice, language):
    """No notice claims that somebody was told, promises, diagnoses or names a method."""
    seen = screening_fold(notice.words(language)).text
    for rule in load_guard():
        for match in rule.pattern.finditer(seen):
            sentence = sentence_around(seen, match.start(), match.end())
            assert rule.unless is not None, rule.id
            assert rule.unless.search(sentence), rule.id
