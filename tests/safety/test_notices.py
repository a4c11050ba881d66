"""The fixed texts: which one, and what none of them may say."""

import re

import pytest

from psyllm.safety.directory import numbers
from psyllm.safety.guard import load_guard
from psyllm.safety.notices import Notice, notice_for
from psyllm.safety.patterns import sentence_around
from psyllm.safety.screen import screen
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
        (["你好"], Notice.HELP),
    ],
)
def test_a_screening_gets_its_notice(turns, notice):
    assert notice_for(screen(turns)) is notice


@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_is_calm_and_names_known_numbers_only(notice):
    assert len(notice.text) > 40
    assert "！" not in notice.text
    assert "!" not in notice.text
    assert set(re.findall(r"\d{3,}", notice.text)) <= numbers()


@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_says_nothing_that_the_guard_forbids(notice):
    """No notice claims that somebody was told, promises, diagnoses or names a method."""
    seen = screening_fold(notice.text).text
    for rule in load_guard():
        for match in rule.pattern.finditer(seen):
            sentence = sentence_around(seen, match.start(), match.end())
            assert rule.unless is not None, rule.id
            assert rule.unless.search(sentence), rule.id
