"""The language of the service's own texts: what was asked for, what came back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.language import Language
from psyllm.safety.notices import Notice
from psyllm.serve.language import language_of
from serve_house import House, ask, read, say

CHINESE = {one.words(Language.ZH) for one in Notice}
ENGLISH = {one.words(Language.EN) for one in Notice}


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", Language.ZH),
        ("en", Language.EN),
        ("EN-us,en;q=0.9", Language.EN),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language.ZH),
        ("en;q=0.8, zh-TW", Language.ZH),
        ("fr, en;q=0.5", Language.EN),
        ("fr, de", Language.ZH),
        ("en;q=0, fr", Language.ZH),
        ("en;q=nonsense", Language.ZH),
        ("*", Language.ZH),
    ],
)
def test_the_wish_that_weighs_most_and_is_spoken_wins(accept: str, language: Language) -> None:
    assert language_of(accept) is language


@given(st.text())
def test_any_header_gives_a_language(accept: str) -> None:
    assert language_of(accept) in Language


@pytest.mark.anyio
async def test_danger_is_answered_in_the_language_of_the_page(house: House) -> None:
    assert await notices(house, "乙级", "en") <= ENGLISH
    assert await notices(house, "乙级", "zh-CN") <= CHINESE


@pytest.mark.anyio
async def test_a_page_that_changes_its_language_gets_the_next_notice_in_it(house: House) -> None:
    visitor = house.browser()
    visitor.headers["Accept-Language"] = "zh-CN"
    turn = await ask(visitor, "乙级")
    visitor.headers["Accept-Language"] = "en"
    await say(visitor, turn["conversation_id"], "乙级")
    told = [one["text"] for one in (await read(visitor, turn["conversation_id"]))["messages"]]
    assert told[1] in CHINESE
    assert told[3] in ENGLISH


@pytest.mark.anyio
async def test_nothing_near_is_said_in_english_and_names_the_language_of_the_answers(house: House) -> None:
    visitor = house.browser()
    visitor.headers["Accept-Language"] = "en"
    turn = await ask(visitor, "My neighbour plays the tuba")
    last = (await read(visitor, turn["conversation_id"]))["messages"][-1]
    assert last["author"] == "notice"
    assert "in Chinese" in last["text"]


@pytest.mark.anyio
async def test_the_desk_sees_which_language_the_visitors_page_has(house: House) -> None:
    await notices(house, "乙级", "en")
    [case] = (await (await house.hire()).get("/api/staff/cases")).json()
    assert case["language"] == "en"


@pytest.mark.anyio
async def test_a_copy_says_in_english_what_a_program_wrote(house: House) -> None:
    visitor = house.browser()
    await ask(visitor)
    copy = await visitor.get("/api/me/export", headers={"Accept-Language": "en"})
    assert "artificial intelligence" in copy.json()["label"]
    assert "人工智能" in (await visitor.get("/api/me/export")).json()["label"]


async def notices(house: House, title: str, accept: str) -> set[str]:
    """What the service itself says to a first question."""
    visitor = house.browser()
    visitor.headers["Accept-Language"] = accept
    turn = await ask(visitor, title)
    found = (await read(visitor, turn["conversation_id"]))["messages"]
    said = {one["text"] for one in found if one["author"] == "notice"}
    assert said
    return said
