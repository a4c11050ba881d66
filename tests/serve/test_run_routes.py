"""Another view: sentence by sentence, guarded, resumable, replaced when it fails."""

import datetime as dt
from pathlib import Path

import pytest

from psyllm.safety.guard import Verdict, check
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
    view,
)

pytestmark = pytest.mark.anyio


async def whole_run(house: House, title: str = "晚上睡不着") -> tuple[list[tuple[int, str, dict]], dict]:
    """Ask, take another view, follow it: the events and the conversation after it."""
    visitor = house.browser()
    turn = await ask(visitor, title)
    response = await view(visitor, turn["conversation_id"])
    assert response.status_code == 201, response.text
    found = await follow(visitor, response.json()["id"])
    return found, await read(visitor, turn["conversation_id"])


async def test_a_generated_answer_comes_in_sentences_and_is_labelled(tmp_path: Path) -> None:
    engine = FakeEngine(["听起", "来你很累。可以", "先休息一下。"])
    async with open_house(tmp_path, engine) as house:
        found, conversation = await whole_run(house)
    names = [name for _, name, _ in found]
    assert names == ["state", "state", "sentence", "sentence", "state", "done"]
    assert [data["text"] for _, name, data in found if name == "sentence"] == [
        "听起来你很累。",
        "可以先休息一下。",
    ]
    answer = conversation["messages"][-1]
    assert answer["text"] == "听起来你很累。可以先休息一下。"
    assert (answer["author"], answer["source"]["kind"]) == ("model", "generated")
    assert answer["source"]["model"] == "train-test"
    assert found[-1][2] == {"message_id": answer["id"], "version": conversation["version"]}


async def test_the_model_hears_the_dialogue_without_notices(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        visitor = house.browser()
        turn = await ask(visitor, "量子力学")
        await visitor.post(
            f"/api/conversations/{turn['conversation_id']}/messages",
            json={"text": "晚上睡不着", "request_key": key()},
        )
        response = await view(visitor, turn["conversation_id"])
        await follow(visitor, response.json()["id"])
    [asked] = house.engine.asked
    assert asked == [("visitor", "量子力学\n晚上睡不着")]


async def test_a_guard_that_fails_withdraws_what_was_said(tmp_path: Path) -> None:
    engine = FakeEngine(["听起来你很累。", "禁词就在这里。", "后面还有。"])
    async with open_house(tmp_path, engine) as house:
        found, conversation = await whole_run(house)
    names = [name for _, name, _ in found]
    assert names == ["state", "state", "sentence", "replaced", "state", "done"]
    replaced = found[3][2]
    assert replaced["reason"] == "guard"
    assert replaced["message"]["author"] == "library"
    assert replaced["message"]["text"] == SHELF[2].answers[0].text
    texts = [message["text"] for message in conversation["messages"]]
    assert not any("禁词" in text or "听起来你很累" in text for text in texts)
    assert conversation["messages"][-1]["id"] == replaced["message"]["id"]


async def test_without_another_library_answer_the_notice_takes_its_place(tmp_path: Path) -> None:
    engine = FakeEngine(["禁词。"])
    async with open_house(tmp_path, engine) as house:
        found, _ = await whole_run(house, "量子力学的哥本哈根诠释")
    assert found[-3][1] == "replaced"
    assert found[-3][2]["message"]["author"] == "notice"


async def test_a_guard_that_breaks_has_not_passed(tmp_path: Path) -> None:
    def broken(text: str, *, final: bool, asked: str | None) -> Verdict:
        raise RuntimeError("broken on purpose")

    async with open_house(tmp_path, guard=broken) as house:
        found, _ = await whole_run(house)
    assert [data["reason"] for _, name, data in found if name == "replaced"] == ["guard"]
    assert not any(name == "sentence" for _, name, _ in found)


async def test_the_guard_sees_the_whole_text_so_far_before_each_release(tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    def watching(text: str, *, final: bool, asked: str | None) -> Verdict:
        seen.append((text, final))
        return Verdict(True, ())

    async with open_house(tmp_path, FakeEngine(["一。二", "。三。"]), guard=watching) as house:
        await whole_run(house)
    assert seen == [("一。", False), ("一。二。", False), ("一。二。三。", True)]


async def test_the_guard_knows_all_that_the_visitor_said_and_nothing_else(tmp_path: Path) -> None:
    heard: list[str | None] = []

    def listening(text: str, *, final: bool, asked: str | None) -> Verdict:
        heard.append(asked)
        return Verdict(True, ())

    async with open_house(tmp_path, FakeEngine(["一。", "二。"]), guard=listening) as house:
        visitor = house.browser()
        turn = await ask(visitor, "晚上睡不着", "躺下就想事情")
        await say(visitor, turn["conversation_id"], "还总是哭")
        response = await view(visitor, turn["conversation_id"])
        await follow(visitor, response.json()["id"])
    assert set(heard) == {"晚上睡不着\n躺下就想事情\n还总是哭"}


async def test_the_real_guard_withdraws_a_disorder_that_nobody_named(tmp_path: Path) -> None:
    named = "抑郁症是一种常见的心理问题，很多人都会遇到。"
    async with open_house(tmp_path, FakeEngine(["听起来你很累。", named]), guard=check) as house:
        unasked, _ = await whole_run(house, "我最近总是哭，晚上睡不着")
        asked, conversation = await whole_run(house, "医生说我有抑郁症，晚上睡不着")
    assert [data["reason"] for _, name, data in unasked if name == "replaced"] == ["guard"]
    assert not any(name == "replaced" for _, name, _ in asked)
    assert conversation["messages"][-1]["text"] == f"听起来你很累。{named}"


@pytest.mark.parametrize(
    "said",
    [
        *("I feel so sad lately", "I feel 难过", "Je ne dors plus", "最近 everything is too much for me"),
        *("最近毎日憂鬱で眠れない", "最近仕事が辛い。毎晩不安感で一杯", "最近ストレス過多", "最近ｽﾄﾚｽ過多"),
        "最近心情 우울 不好",
    ],
)
async def test_who_writes_another_language_is_not_offered_what_the_model_writes(
    tmp_path: Path, said: str
) -> None:
    async with open_house(tmp_path) as house:
        visitor = house.browser()
        turn = await ask(visitor, said)
        response = await view(visitor, turn["conversation_id"])
        assert response.json()["kind"] == "library"
        await follow(visitor, response.json()["id"])
        messages = (await read(visitor, turn["conversation_id"]))["messages"]
    assert house.engine.asked == []
    assert all(message["author"] != "model" for message in messages)


@pytest.mark.parametrize(
    "said", ["我最近 feel 很难过", "考研失利，emo 了", "卡尔・荣格的书我看不懂", "？？？", "12345"]
)
async def test_a_mixed_message_is_offered_what_the_model_writes(tmp_path: Path, said: str) -> None:
    async with open_house(tmp_path) as house:
        _, conversation = await whole_run(house, said)
    assert conversation["messages"][-1]["author"] == "model"


@pytest.mark.parametrize(("said", "offered"), [("My neighbour plays the tuba", False), ("量子力学", True)])
async def test_where_nothing_is_near_a_view_is_named_only_where_a_model_writes_it(
    tmp_path: Path, said: str, offered: bool
) -> None:
    async with open_house(tmp_path) as house:
        visitor = house.browser()
        turn = await ask(visitor, said)
        notice = (await read(visitor, turn["conversation_id"]))["messages"][-1]
    assert notice["author"] == "notice"
    assert ("换一种说法看看" in notice["text"]) is offered


async def test_the_newest_message_tells_the_language(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        visitor = house.browser()
        turn = await ask(visitor, "I can't sleep at night")
        conversation = turn["conversation_id"]
        await say(visitor, conversation, "晚上睡不着")
        chinese = await view(visitor, conversation)
        await follow(visitor, chinese.json()["id"])
        await say(visitor, conversation, "I really can't sleep")
        english = await view(visitor, conversation)
        await follow(visitor, english.json()["id"])
    assert (chinese.json()["kind"], english.json()["kind"]) == ("generated", "library")


async def test_a_late_answer_is_replaced(tmp_path: Path) -> None:
    engine = FakeEngine(["听起来你很累。", "可", None])
    async with open_house(tmp_path, engine, timeout_s=0.2) as house:
        found, _ = await whole_run(house)
    assert [data["reason"] for _, name, data in found if name == "replaced"] == ["timeout"]
    assert engine.cancelled


async def test_a_dead_engine_is_replaced(tmp_path: Path) -> None:
    async with open_house(tmp_path, FakeEngine(["听起来你很累。可以"], dies=True)) as house:
        found, _ = await whole_run(house)
    assert [data["reason"] for _, name, data in found if name == "replaced"] == ["engine"]


async def test_an_answer_of_the_greatest_length_loses_its_half_sentence(tmp_path: Path) -> None:
    engine = FakeEngine(["听起来你很累。可以先休", "息一"], reason="length")
    async with open_house(tmp_path, engine) as house:
        _, conversation = await whole_run(house)
    assert conversation["messages"][-1]["text"] == "听起来你很累。"


async def test_an_empty_answer_is_replaced(tmp_path: Path) -> None:
    async with open_house(tmp_path, FakeEngine([])) as house:
        found, _ = await whole_run(house)
    assert [data["reason"] for _, name, data in found if name == "replaced"] == ["guard"]


@pytest.mark.parametrize("state", ["starting", "failed"])
async def test_without_the_model_another_view_is_the_next_library_answer(tmp_path: Path, state: str) -> None:
    async with open_house(tmp_path, FakeEngine(state=state)) as house:
        visitor = house.browser()
        turn = await ask(visitor, "晚上睡不着")
        response = await view(visitor, turn["conversation_id"])
        assert response.json()["kind"] == "library"
        await follow(visitor, response.json()["id"])
        messages = (await read(visitor, turn["conversation_id"]))["messages"]
        assert (await visitor.get("/api/status")).json()["generation"] == state
    assert [message["text"] for message in messages[1:]] == [
        SHELF[0].answers[0].text,
        SHELF[2].answers[0].text,
    ]


async def test_following_again_from_any_number_gives_the_rest(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        visitor = house.browser()
        turn = await ask(visitor)
        run = (await view(visitor, turn["conversation_id"])).json()["id"]
        whole = await follow(visitor, run)
        for number in range(len(whole) + 1):
            by_header = await follow(visitor, run, headers={"Last-Event-ID": str(number)})
            by_query = await follow(visitor, run, params={"after": number})
            if number < len(whole):
                assert by_header == by_query == whole[number:]


async def test_a_stopped_answer_keeps_what_was_released(tmp_path: Path) -> None:
    engine = FakeEngine(["听起来你很累。", "可以", None, "先休息。"])
    async with open_house(tmp_path, engine) as house:
        visitor = house.browser()
        turn = await ask(visitor)
        conversation = turn["conversation_id"]
        run = (await view(visitor, conversation)).json()["id"]
        await until_the_model_speaks(visitor, conversation)
        stopped = await visitor.post(f"/api/runs/{run}/stop")
        assert (stopped.status_code, stopped.json()["state"]) == (202, "stopped")
        names = [name for _, name, _ in await follow(visitor, run)]
        last = (await read(visitor, conversation))["messages"][-1]
    assert names == ["state", "state", "sentence", "state", "done"]
    assert last["text"] == "听起来你很累。"


async def test_one_answer_at_a_time(tmp_path: Path) -> None:
    engine = FakeEngine([None])
    async with open_house(tmp_path, engine) as house:
        visitor = house.browser()
        turn = await ask(visitor)
        first = await view(visitor, turn["conversation_id"])
        assert (await read(visitor, turn["conversation_id"]))["running"]["id"] == first.json()["id"]
        second = await view(visitor, turn["conversation_id"])
        assert (second.status_code, second.json()["code"]) == (409, "PSY-504")
        engine.go_on.set()


async def test_another_view_is_refused_at_risk(house: House) -> None:
    visitor = house.browser()
    turn = await ask(visitor, "乙级")
    response = await view(visitor, turn["conversation_id"])
    assert (response.status_code, response.json()["code"]) == (409, "PSY-504")
    assert house.engine.asked == []


async def test_the_conversation_says_whether_another_view_of_it_is_answered(house: House) -> None:
    visitor, desk = house.browser(), await house.hire()
    turn = await ask(visitor, "乙级")
    conversation = turn["conversation_id"]
    calm = (await ask(visitor))["conversation_id"]
    assert [(await read(visitor, one))["may_view"] for one in (calm, conversation)] == [True, False]
    await visitor.post(f"/api/conversations/{calm}/person")
    for case in (await desk.get("/api/staff/cases")).json():
        taken = (await desk.post(f"/api/staff/cases/{case['id']}/take")).json()["conversation"]
        assert not (await read(visitor, case["conversation_id"]))["may_view"]
        body = {"reason": "false_alarm", "note": "", "base_version": taken["version"]}
        closed = await desk.post(f"/api/staff/cases/{case['id']}/close", json=body)
        assert closed.status_code == 200, closed.text
    after = await read(visitor, conversation)
    assert (after["owner"], after["level"], after["may_view"]) == ("bot", "none", False)
    assert (await view(visitor, conversation)).status_code == 409
    assert (await read(visitor, calm))["may_view"]
    assert (await view(visitor, calm)).status_code == 201
    await say(visitor, conversation, "晚上睡不着")
    assert (await read(visitor, conversation))["may_view"]
    assert (await view(visitor, conversation)).status_code == 201


async def test_taking_over_stops_the_model_in_the_middle(tmp_path: Path) -> None:
    engine = FakeEngine(["听起来你很累。", "可以", None, "先休息。"])
    async with open_house(tmp_path, engine) as house:
        visitor = house.browser()
        turn = await ask(visitor)
        conversation = turn["conversation_id"]
        await visitor.post(f"/api/conversations/{conversation}/person")
        run = (await view(visitor, conversation)).json()["id"]
        await until_the_model_speaks(visitor, conversation)
        desk = await house.hire()
        [case] = (await desk.get("/api/staff/cases")).json()
        assert (await desk.post(f"/api/staff/cases/{case['id']}/take")).status_code == 200
        found = await follow(visitor, run)
        after = await read(visitor, conversation)
        refused = await view(visitor, conversation)
    assert found[-2][2] == {"state": "stopped"}
    assert (after["owner"], after["messages"][-1]["text"]) == ("person", "听起来你很累。")
    assert (refused.status_code, refused.json()["code"]) == (409, "PSY-504")


async def test_a_run_that_an_earlier_server_left_ends_with_a_notice(tmp_path: Path) -> None:
    async with open_house(tmp_path, FakeEngine(["听起来你很累。", "可以", None])) as house:
        visitor = house.browser()
        turn = await ask(visitor)
        conversation = turn["conversation_id"]
        run = (await view(visitor, conversation)).json()["id"]
        await until_the_model_speaks(visitor, conversation)
        cookies = dict(visitor.cookies)
    async with open_house(tmp_path) as house:
        again = house.browser()
        again.cookies.update(cookies)
        found = await follow(again, run)
        messages = (await read(again, conversation))["messages"]
    assert [name for _, name, _ in found] == ["state", "state", "sentence", "message", "state", "done"]
    assert found[-2][2] == {"state": "failed"}
    assert messages[-1]["author"] == "notice"


async def test_from_the_day_after_its_terms_end_a_running_service_answers_from_the_library(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = dt.date(2027, 6, 30)
    days = [last]
    async with open_house(tmp_path, last_day=last, today=lambda: days[0]) as house:
        _, before = await whole_run(house)
        days[0] += dt.timedelta(days=1)
        _, after = await whole_run(house)
        status = await house.browser().get("/api/status")
    assert before["messages"][-1]["author"] == "model"
    assert after["messages"][-1]["author"] == "library"
    assert status.json()["generation"] == "off"
    assert caplog.text.count("agreement ended on 2027-06-30; run: psyllm corpus") == 1


async def test_terms_that_end_after_a_view_was_asked_for_still_end_it(tmp_path: Path) -> None:
    last = dt.date(2027, 6, 30)
    days = iter([last, last])  # when the first answer is done, and when another view is asked for
    tomorrow = last + dt.timedelta(days=1)
    async with open_house(tmp_path, last_day=last, today=lambda: next(days, tomorrow)) as house:
        found, conversation = await whole_run(house)
        assert house.engine.asked == []
    assert [data["reason"] for _, name, data in found if name == "replaced"] == ["engine"]
    assert conversation["messages"][-1]["author"] == "library"
