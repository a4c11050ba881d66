"""A visitor asks, reads, says more, asks for a person, rates."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from psyllm.casebook.tables import Case, Message, Screening
from psyllm.safety.levels import Level
from psyllm.safety.screen import Screening as ScreeningFound
from serve_house import (
    SHELF,
    FakeEngine,
    House,
    ask,
    follow,
    key,
    open_house,
    read,
    say,
    until_the_model_speaks,
)

pytestmark = pytest.mark.anyio


async def test_a_question_is_answered_from_the_library_and_labelled(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor, "睡不着", "躺下就想很多事情，越想越清醒")
    assert turn["run"] == {"id": turn["run"]["id"], "kind": "library", "state": "done"}
    assert (turn["level"], turn["help"], turn["help_first"], turn["case_open"]) == (
        "none",
        False,
        False,
        False,
    )
    found = await read(visitor, turn["conversation_id"])
    asked, answer = found["messages"]
    assert asked["text"] == "睡不着\n躺下就想很多事情，越想越清醒"
    assert answer["text"] == SHELF[0].answers[0].text
    source = answer["source"]
    assert (source["kind"], source["title"]) == ("library", SHELF[0].title)
    assert (source["written_for_this_project"], source["reviewed_by"]) == (True, "")
    assert 0.12 <= source["match"] <= 1
    assert (asked["can_rate"], answer["can_rate"]) == (False, True)
    assert turn["version"] == found["version"]


async def test_the_events_of_a_library_answer_hold_the_whole_message(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor)
    numbers, names, data = zip(*await follow(visitor, turn["run"]["id"]), strict=True)
    assert numbers == (1, 2, 3, 4)
    assert names == ("state", "message", "state", "done")
    assert data[1]["message"]["author"] == "library"
    assert data[3] == {"message_id": data[1]["message"]["id"], "version": 2}


@pytest.mark.parametrize("state", ["ready", "failed"])
async def test_nothing_close_enough_is_said_honestly(tmp_path: Path, state: str) -> None:
    async with open_house(tmp_path, FakeEngine(state=state)) as house:
        visitor = house.browser()
        turn = await ask(visitor, "量子力学的哥本哈根诠释")
        found = await read(visitor, turn["conversation_id"])
    notice = found["messages"][-1]
    assert (notice["author"], notice["can_rate"]) == ("notice", False)
    assert "没有找到" in notice["text"]
    assert ("换一种说法看看" in notice["text"]) is (state == "ready")


async def test_the_secret_lies_in_the_cookie_only(house: House) -> None:
    visitor = house.browser()
    response = await visitor.post(
        "/api/conversations", json={"title": "你好", "details": "", "request_key": key()}
    )
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("psy_visitor=")
    for part in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert visitor.cookies["psy_visitor"] not in response.text
    again = await visitor.post(
        "/api/conversations", json={"title": "你好", "details": "", "request_key": key()}
    )
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize("sign", ["乙级", "丙级", "丁级"])
async def test_danger_gets_help_and_a_case_and_no_answer(house: House, sign: str) -> None:
    visitor = house.browser()
    turn = await ask(visitor, f"晚上睡不着 {sign}")
    assert (turn["run"], turn["help"], turn["case_open"]) == (None, True, True)
    assert turn["help_first"] is (sign != "乙级")
    assert turn["notice"]["author"] == "notice"
    found = await read(visitor, turn["conversation_id"])
    assert [message["author"] for message in found["messages"]] == ["visitor", "notice"]
    assert (found["help"], found["case"]) == (True, "open")
    assert house.engine.asked == []


async def test_the_case_is_on_the_disk_before_the_reply(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor, "丙级")
    async with house.parts.book.reading() as session:
        [case] = await session.scalars(select(Case))
        [screening] = await session.scalars(select(Screening))
    assert case.conversation_id == turn["conversation_id"]
    assert (case.level, screening.rules) == (Level.URGENT, ["sign-urgent"])


async def test_danger_said_once_still_counts_twenty_turns_later(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor, "乙级")
    for _ in range(20):
        later = await say(visitor, turn["conversation_id"], "今天天气不错")
    assert (later["level"], later["run"], later["help"]) == ("risk", None, True)


def broken(turns: object) -> ScreeningFound:
    raise ValueError("broken on purpose")


async def test_a_screening_that_breaks_counts_as_risk(tmp_path: Path) -> None:
    async with open_house(tmp_path, screen=broken) as house:
        turn = await ask(house.browser(), "今天天气不错")
    assert (turn["level"], turn["case_open"], turn["help"], turn["run"]) == ("risk", True, True, None)


async def test_a_screening_that_is_late_counts_as_risk(tmp_path: Path) -> None:
    import threading

    release = threading.Event()

    def late(turns: object) -> ScreeningFound:
        release.wait(10)
        return ScreeningFound(Level.NONE, Level.NONE, (), "late")

    async with open_house(tmp_path, screen=late, limit_s=0.05) as house:
        turn = await ask(house.browser(), "今天天气不错")
        release.set()
    assert (turn["level"], turn["help"]) == ("risk", True)


async def test_a_retry_is_the_same_turn(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor)
    body = {"text": "还是睡不着", "request_key": key()}
    path = f"/api/conversations/{turn['conversation_id']}/messages"
    first, *others = await asyncio.gather(*(visitor.post(path, json=body) for _ in range(4)))
    assert {response.status_code for response in (first, *others)} == {201}
    ids = {response.json()["message"]["id"] for response in (first, *others)}
    assert len(ids) == 1
    assert len({response.json()["run"]["id"] for response in (first, *others)}) == 1
    found = await read(visitor, turn["conversation_id"])
    assert [message["author"] for message in found["messages"]] == ["visitor", "library"] * 2


async def test_a_retried_question_is_the_same_conversation(house: House) -> None:
    visitor = house.browser()
    await ask(visitor)
    again = key()
    turns = [await ask(visitor, "考试紧张", request_key=again) for _ in range(2)]
    assert turns[0]["conversation_id"] == turns[1]["conversation_id"]
    assert len((await visitor.get("/api/conversations")).json()) == 2


async def test_conversations_are_listed_newest_first_with_what_is_unread(house: House) -> None:
    visitor = house.browser()
    assert (await visitor.get("/api/conversations")).json() == []
    first = await ask(visitor, "晚上睡不着")
    second = await ask(visitor, "考试前很紧张")
    await read(visitor, second["conversation_id"])
    listed = (await visitor.get("/api/conversations")).json()
    assert [(one["id"], one["unread"]) for one in listed] == [
        (second["conversation_id"], False),
        (first["conversation_id"], True),
    ]


async def test_an_unchanged_conversation_is_not_sent_again(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor)
    path = f"/api/conversations/{turn['conversation_id']}"
    first = await visitor.get(path)
    same = await visitor.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    await visitor.post(f"{path}/person")
    changed = await visitor.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["case"] == "open"


async def test_a_person_can_be_asked_for_at_any_level(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor)
    path = f"/api/conversations/{turn['conversation_id']}/person"
    alone = await visitor.post(path)
    assert (alone.status_code, alone.json()) == (201, {"case_open": True, "counsellor_present": False})
    await house.hire()
    assert (await visitor.post(path)).json()["counsellor_present"] is True


RATING = {
    "helpfulness": 5,
    "fluency": 4,
    "relevance": 3,
    "logic": 2,
    "comment": "写得清楚",
    "training_consent": True,
}


async def test_a_rating_is_kept_and_replaced(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor)
    answer = (await read(visitor, turn["conversation_id"]))["messages"][1]
    path = f"/api/messages/{answer['id']}/rating"
    assert (await visitor.post(path, json=RATING)).status_code == 201
    replaced = await visitor.post(path, json={**RATING, "logic": 5, "training_consent": False})
    assert replaced.status_code == 201
    kept = (await read(visitor, turn["conversation_id"]))["messages"][1]["rating"]
    assert (kept["logic"], kept["training_consent"], kept["comment"]) == (5, False, "写得清楚")


@pytest.mark.parametrize("change", [{"logic": 0}, {"logic": 6}, {"logic": None}, {"stars": 5}])
async def test_a_rating_out_of_range_is_refused(house: House, change: dict[str, object]) -> None:
    visitor = house.browser()
    turn = await ask(visitor)
    answer = (await read(visitor, turn["conversation_id"]))["messages"][1]
    response = await visitor.post(f"/api/messages/{answer['id']}/rating", json={**RATING, **change})
    assert response.status_code == 422
    assert "写得清楚" not in response.text


async def test_the_visitors_own_message_cannot_be_rated(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor)
    response = await visitor.post(f"/api/messages/{turn['message']['id']}/rating", json=RATING)
    assert (response.status_code, response.json()["code"]) == (409, "PSY-504")


async def test_empty_words_are_refused_and_too_many_show_help(house: House) -> None:
    visitor = house.browser()
    empty = await visitor.post(
        "/api/conversations", json={"title": " ", "details": "\n", "request_key": key()}
    )
    assert (empty.status_code, empty.json()["code"]) == (422, "PSY-100")
    long = await visitor.post(
        "/api/conversations", json={"title": "长", "details": "字" * 4000, "request_key": key()}
    )
    assert (long.status_code, long.json()["help"]) == (413, True)
    huge = await visitor.post(
        "/api/conversations", json={"title": "长", "details": "字" * 200_000, "request_key": key()}
    )
    assert (huge.status_code, huge.headers["content-type"]) == (413, "application/problem+json")


async def test_a_new_message_stops_the_model_in_the_middle(tmp_path: Path) -> None:
    engine = FakeEngine(["听起来你很累。", "后面的", None, "话不会说出来。"])
    async with open_house(tmp_path, engine) as house:
        visitor = house.browser()
        turn = await ask(visitor)
        conversation = turn["conversation_id"]
        run = await visitor.post(
            f"/api/conversations/{conversation}/runs",
            json={"kind": "another_view", "request_key": key()},
        )
        await until_the_model_speaks(visitor, conversation)
        await say(visitor, conversation, "丙级")
        names = [name for _, name, _ in await follow(visitor, run.json()["id"])]
        texts = [message["text"] for message in (await read(visitor, conversation))["messages"]]
    assert names[-2:] == ["state", "done"]
    assert "ticket-1" in engine.cancelled
    assert not any("不会说出来" in text for text in texts)


async def test_words_of_other_conversations_are_screened_apart(house: House) -> None:
    visitor = house.browser()
    await ask(visitor, "乙级")
    calm = await ask(visitor, "晚上睡不着")
    assert calm["level"] == "none"
    async with house.parts.book.reading() as session:
        assert len(list(await session.scalars(select(Message).where(Message.author == "visitor")))) == 2
