"""Problems have one form and never give a person's words back; neither do logs."""

import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from psyllm.core.errors import (
    BadInput,
    CasebookError,
    DiskFull,
    EngineFailed,
    NotAllowed,
    NotFound,
    PsyError,
    StaleVersion,
    WrongState,
)
from psyllm.serve.openapi import describe
from psyllm.serve.schema import Ask, Message, Problem
from psyllm.serve.words import Words
from serve_house import FakeEngine, House, ask, follow, key, open_house, say, view

pytestmark = pytest.mark.anyio
PLANTED = "这一句不该出现在任何别的地方"


def add_first(app: FastAPI, fail: Callable[[], Awaitable[None]]) -> None:
    """Add a route that fails before the one that takes every path."""
    app.add_api_route("/api/fail", fail)
    app.router.routes.insert(0, app.router.routes.pop())


@pytest.mark.parametrize(
    ("error", "status", "show_help"),
    [
        (NotFound, 404, False),
        (NotAllowed, 403, False),
        (StaleVersion, 409, False),
        (WrongState, 409, False),
        (BadInput, 422, False),
        (EngineFailed, 503, True),
        (CasebookError, 503, True),
        (DiskFull, 507, True),
        (PsyError, 500, True),
    ],
)
async def test_our_errors_have_a_status_a_code_and_a_next_step(
    house: House, error: type[PsyError], status: int, show_help: bool
) -> None:
    async def fail() -> None:
        raise error("what was found", "what to do")

    add_first(house.app, fail)
    response = await house.browser().get("/api/fail")
    found = Problem.model_validate_json(response.content)
    assert (response.status_code, found.status) == (status, status)
    assert (found.detail, found.next, found.code, found.help) == (
        "what was found",
        "what to do",
        error.code,
        show_help,
    )


async def test_a_full_disk_is_told_with_help(house: House) -> None:
    async with house.parts.book.writing() as session:
        pages = await session.scalar(text("PRAGMA page_count"))
        await session.execute(text(f"PRAGMA max_page_count = {pages}"))
    visitor = house.browser()
    answers = [
        await visitor.post(
            "/api/conversations", json={"title": "丙级", "details": "字" * 3900, "request_key": key()}
        )
        for _ in range(8)
    ]
    last = answers[-1]
    assert (last.status_code, last.json()["code"], last.json()["help"]) == (507, "PSY-203", True)


async def test_a_failure_of_ours_says_little_and_shows_help(house: House) -> None:
    async def fail() -> None:
        raise RuntimeError(PLANTED)

    add_first(house.app, fail)
    response = await house.browser().get("/api/fail")
    assert (response.status_code, response.json()["help"]) == (500, True)
    assert PLANTED not in response.text


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"title": PLANTED}),
        json.dumps({"title": PLANTED, "details": {"a": PLANTED}, "request_key": "abcdefgh"}),
        json.dumps({"title": "a", "details": "b", "request_key": PLANTED}),
        json.dumps({"title": "a", "details": "b", "request_key": "abcdefgh", PLANTED: 1}),
        f'{{"title": "{PLANTED}',
        PLANTED,
        f'["{PLANTED}"]',
    ],
)
async def test_a_broken_request_is_not_echoed(house: House, content: str) -> None:
    response = await house.browser().post(
        "/api/conversations", content=content.encode(), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert PLANTED not in response.text
    assert PLANTED.encode("unicode_escape").decode() not in response.text


async def test_no_words_reach_a_log_at_any_level(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in [*logging.root.manager.loggerDict, "aiosqlite", "sqlalchemy.engine"]:
        caplog.set_level(logging.DEBUG, logger=name)
    engine = FakeEngine([f"{PLANTED}听起来你很累。", "禁词。"])
    async with open_house(tmp_path, engine) as house:
        visitor = house.browser()
        turn = await ask(visitor, f"晚上睡不着，躺下就想很多事情，越想越清醒 {PLANTED}")
        run = (await view(visitor, turn["conversation_id"])).json()["id"]
        await follow(visitor, run)
        await say(visitor, turn["conversation_id"], f"丙级 {PLANTED}")
        desk = await house.hire()
        [case] = (await desk.get("/api/staff/cases")).json()
        detail = (await desk.post(f"/api/staff/cases/{case['id']}/take")).json()
        body = {"text": PLANTED, "base_version": detail["conversation"]["version"], "request_key": key()}
        await desk.post(f"/api/staff/cases/{case['id']}/messages", json=body)
        await visitor.post("/api/conversations", json={"title": PLANTED})
        await visitor.get("/api/me/export")
        await visitor.delete("/api/me")
    assert caplog.records
    assert PLANTED not in caplog.text
    captured = capfd.readouterr()
    assert PLANTED not in captured.out + captured.err


def test_words_hide_in_every_repr() -> None:
    asked = Ask.model_validate({"title": PLANTED, "details": PLANTED, "request_key": key()})
    assert PLANTED not in repr(asked) + str(asked) + f"{asked}"
    assert PLANTED not in repr(asked.model_dump())
    assert json.loads(asked.model_dump_json())["title"] == PLANTED
    assert Message.model_fields["text"].annotation is not str
    assert Words


def test_the_description_in_the_repository_is_that_of_the_code() -> None:
    from psyllm.serve.app import create_app

    written = Path(__file__).parent.parent.parent / "web" / "openapi.json"
    text = json.dumps(describe(create_app()), indent=1, sort_keys=True, ensure_ascii=False)
    assert written.read_text("utf-8") == text + "\n"


def test_the_description_names_problems_and_events() -> None:
    from psyllm.serve.app import create_app

    document = describe(create_app())
    schemas = document["components"]["schemas"]
    for name in ("Problem", "StateEvent", "SentenceEvent", "MessageEvent", "ReplacedEvent", "DoneEvent"):
        assert name in schemas
    for operations in document["paths"].values():
        for operation in operations.values():
            assert "default" in operation["responses"]
            assert "422" not in operation["responses"]


async def test_half_a_character_does_not_keep_a_message_from_being_taken_in(house: House) -> None:
    body = b'{"title": "\\u4e19\\u7ea7\\ud83d", "details": "", "request_key": "half-a-character"}'
    response = await house.browser().post(
        "/api/conversations", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 201, response.text
    assert response.json()["message"]["text"] == "丙级\ufffd"


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000])
async def test_an_impossible_event_number_does_not_break_the_stream(house: House, number: str) -> None:
    visitor = house.browser()
    run = (await ask(visitor))["run"]["id"]
    response = await visitor.get(f"/api/runs/{run}/events", headers={"Last-Event-ID": number})
    assert "event: done" in response.text
    response = await visitor.get(f"/api/runs/{run}/events", params={"after": "9" * 30})
    assert response.status_code == 200
