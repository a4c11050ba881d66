"""A copy of everything, and erasure down to the raw bytes."""

import asyncio
from pathlib import Path

import pytest

from psyllm.casebook.open import casebook_path
from serve_house import FakeEngine, House, ask, open_house, read, until_the_model_speaks, view

pytestmark = pytest.mark.anyio
PLANTED = "这句话要能彻底消失"


def raw_bytes(data: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(casebook_path(data).parent.iterdir()))


async def test_the_copy_holds_everything_and_says_what_a_program_wrote(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor, f"晚上睡不着，躺下就想很多事情 {PLANTED}")
    answer = (await read(visitor, turn["conversation_id"]))["messages"][1]
    rating = dict.fromkeys(("helpfulness", "fluency", "relevance", "logic"), 5)
    rated = await visitor.post(
        f"/api/messages/{answer['id']}/rating",
        json={**rating, "comment": "好", "training_consent": True},
    )
    assert rated.status_code == 201, rated.text
    response = await visitor.get("/api/me/export")
    assert "attachment" in response.headers["content-disposition"]
    copy = response.json()
    assert PLANTED in copy["conversations"][0]["messages"][0]["text"]
    assert copy["conversations"][0]["messages"][1]["rating"]["comment"] == "好"
    assert copy["consents"][0]["message_id"] == answer["id"]
    assert "人工智能生成" in copy["label"]


async def test_what_is_erased_is_in_no_file_of_the_casebook(house: House) -> None:
    visitor = house.browser()
    await ask(visitor, f"晚上睡不着 {PLANTED}")
    await ask(visitor, f"丙级 {PLANTED}")
    stays = house.browser()
    await ask(stays, "考试前很紧张，别把我删了")
    assert PLANTED.encode() in raw_bytes(house.data)
    response = await visitor.delete("/api/me")
    assert response.status_code == 204
    assert 'psy_visitor=""' in response.headers["set-cookie"]
    raw = raw_bytes(house.data)
    assert PLANTED.encode() not in raw
    assert "别把我删了".encode() in raw
    assert (await visitor.get("/api/conversations")).json() == []
    desk = await house.hire()
    assert (await desk.get("/api/staff/cases")).json() == []


async def test_the_old_secret_opens_nothing_after_erasing(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor)
    secret = visitor.cookies["psy_visitor"]
    await visitor.delete("/api/me")
    thief = house.browser()
    thief.cookies.set("psy_visitor", secret)
    assert (await thief.get(f"/api/conversations/{turn['conversation_id']}")).status_code == 404


async def test_erasing_in_the_middle_of_an_answer_ends_it_without_a_trace(tmp_path: Path) -> None:
    engine = FakeEngine([f"{PLANTED}。", "可以", None, f"{PLANTED}。"])
    async with open_house(tmp_path, engine) as house:
        visitor = house.browser()
        turn = await ask(visitor)
        conversation = turn["conversation_id"]
        await view(visitor, conversation)
        await until_the_model_speaks(visitor, conversation)
        assert (await visitor.delete("/api/me")).status_code == 204
        await asyncio.sleep(0.05)
        assert PLANTED.encode() not in raw_bytes(tmp_path)
    assert engine.cancelled


async def test_erasing_nothing_is_fine(house: House) -> None:
    assert (await house.browser().delete("/api/me")).status_code == 204
