"""The desk: sign in, see, take, answer, close."""

import pytest

from serve_house import PASSWORD, House, ask, key, read, say

pytestmark = pytest.mark.anyio


async def risky(house: House) -> tuple[object, str, object, str, int]:
    """A risky conversation that Lin has taken: visitor, conversation, desk, case, version."""
    visitor = house.browser()
    turn = await ask(visitor, "乙级")
    desk = await house.hire()
    [case] = (await desk.get("/api/staff/cases", params={"state": "open"})).json()
    taken = (await desk.post(f"/api/staff/cases/{case['id']}/take")).json()
    return visitor, turn["conversation_id"], desk, case["id"], taken["conversation"]["version"]


def reply(desk, case: str, version: int, text: str = "我在，慢慢说", request_key: str = ""):
    body = {"text": text, "base_version": version, "request_key": request_key or key()}
    return desk.post(f"/api/staff/cases/{case}/messages", json=body)


async def test_signing_in_and_out(house: House) -> None:
    desk = await house.hire()
    assert (await desk.get("/api/staff/me")).json() == {"name": "lin", "role": "counsellor"}
    assert (await house.browser().get("/api/status")).json()["counsellor_present"] is True
    assert (await desk.post("/api/staff/logout")).status_code == 204
    assert (await desk.get("/api/staff/me")).status_code == 401
    assert (await house.browser().get("/api/status")).json()["counsellor_present"] is False


async def test_a_session_that_was_ended_stays_ended_for_who_kept_the_cookie(house: House) -> None:
    desk = await house.hire()
    secret = desk.cookies["psy_staff"]
    await desk.post("/api/staff/logout")
    thief = house.browser()
    thief.cookies.set("psy_staff", secret)
    assert (await thief.get("/api/staff/me")).status_code == 401


async def test_ten_failures_are_enough_for_a_name_and_do_not_reach_others(house: House) -> None:
    await house.hire("lin")
    await house.hire("wang")
    guess = house.browser()
    for _ in range(10):
        response = await guess.post("/api/staff/login", json={"name": "lin", "password": "a guess"})
        assert response.status_code == 401
    right = {"name": "lin", "password": PASSWORD}
    assert (await guess.post("/api/staff/login", json=right)).status_code == 429
    other = {"name": "wang", "password": PASSWORD}
    assert (await guess.post("/api/staff/login", json=other)).status_code == 200
    assert (await ask(house.browser(), "丙级"))["help_first"] is True


async def test_a_case_is_taken_answered_and_closed(house: House) -> None:
    visitor, conversation, desk, case, version = await risky(house)
    assert (await read(visitor, conversation))["owner"] == "person"
    answered = await reply(desk, case, version)
    assert answered.status_code == 201
    last = (await read(visitor, conversation))["messages"][-1]
    assert (last["author"], last["text"], last["can_rate"]) == ("counsellor", "我在，慢慢说", True)
    assert last["source"]["kind"] == "counsellor"
    body = {"reason": "referred", "note": "转到校医院", "base_version": version + 1}
    closed = await desk.post(f"/api/staff/cases/{case}/close", json=body)
    assert closed.status_code == 200
    assert closed.json()["case"]["state"] == "closed"
    after = await read(visitor, conversation)
    assert (after["owner"], after["case"]) == ("bot", "closed")
    assert "转到校医院" not in str(after)


async def test_an_answer_written_before_the_visitors_words_is_refused(house: House) -> None:
    visitor, conversation, desk, case, version = await risky(house)
    turn = await say(visitor, conversation, "其实还有一件事")
    assert (turn["owner"], turn["run"]) == ("person", None)
    stale = await reply(desk, case, version)
    assert (stale.status_code, stale.json()["code"]) == (409, "PSY-503")
    assert (await reply(desk, case, turn["version"])).status_code == 201


async def test_a_retried_answer_is_one_message(house: House) -> None:
    _, _, desk, case, version = await risky(house)
    again = key()
    both = [await reply(desk, case, version, request_key=again) for _ in range(2)]
    assert {response.status_code for response in both} == {201}
    assert both[0].json()["id"] == both[1].json()["id"]


async def test_a_case_belongs_to_one_counsellor(house: House) -> None:
    _, _, desk, case, version = await risky(house)
    wang = await house.hire("wang")
    assert (await wang.post(f"/api/staff/cases/{case}/take")).status_code == 409
    assert (await reply(wang, case, version)).status_code == 409
    assert (await desk.post(f"/api/staff/cases/{case}/take")).status_code == 200
    detail = (await wang.get(f"/api/staff/cases/{case}")).json()
    assert detail["case"]["assignee"] == "lin"


async def test_cases_are_listed_by_level_then_age_with_their_state(house: House) -> None:
    for sign in ("乙级", "丙级", "甲级", "丁级"):
        visitor = house.browser()
        turn = await ask(visitor, sign)
        if sign == "甲级":
            await visitor.post(f"/api/conversations/{turn['conversation_id']}/person")
    desk = await house.hire()
    listed = (await desk.get("/api/staff/cases")).json()
    assert [case["level"] for case in listed] == ["in_progress", "urgent", "risk", "distress"]
    assert {case["state"] for case in listed} == {"open"}
    assert (await desk.get("/api/staff/cases", params={"state": "closed"})).json() == []
    assert (await desk.get("/api/staff/cases", params={"state": "wild"})).status_code == 422


async def test_a_case_shows_which_rules_fired(house: House) -> None:
    _, _, desk, case, _ = await risky(house)
    detail = (await desk.get(f"/api/staff/cases/{case}")).json()
    assert detail["screenings"][0]["rules"] == ["sign-risk"]
    assert [event["what"] for event in detail["history"]] == ["opened at level risk", "taken"]
    assert detail["conversation"]["messages"][0]["can_rate"] is False
