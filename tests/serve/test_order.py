"""The order of writes: whatever a response tells was on the disk before its first byte."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from psyllm.casebook.open import casebook_path
from serve_house import HEADERS, SIGNS, House, open_house

pytestmark = pytest.mark.anyio
TEXTS = ["晚上睡不着，躺下就想很多事情", "考试前很紧张", *SIGNS]


class Witness:
    """Between server and visitor: looks into the database, by a connection of its own, at each first byte."""

    def __init__(self, house: House) -> None:
        self._app = house.app
        self._path = casebook_path(house.data)
        self.seen: list[dict[str, set[str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.seen.append(self._look())
            await send(message)

        await self._app(scope, receive, watched)

    def _look(self) -> dict[str, set[str]]:
        with closing(sqlite3.connect(self._path)) as database:
            queries = {
                "messages": "SELECT id FROM messages",
                "screened": "SELECT message_id FROM screenings",
                "cases": "SELECT conversation_id FROM cases WHERE state = 'open'",
                "runs": "SELECT id FROM runs",
            }
            return {name: {row[0] for row in database.execute(query)} for name, query in queries.items()}


async def say(visitor: httpx.AsyncClient, conversation: str, text: str, number: int) -> dict[str, Any]:
    path = f"/api/conversations/{conversation}/messages" if conversation else "/api/conversations"
    words = {"text": text} if conversation else {"title": text, "details": ""}
    response = await visitor.post(path, json={**words, "request_key": f"order-{number:06d}"})
    assert response.status_code == 201
    turn: dict[str, Any] = response.json()
    return turn


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4))
async def test_message_screening_case_and_run_are_there_before_the_reply(
    tmp_path: Path, texts: list[str]
) -> None:
    async with open_house(tmp_path) as house:
        witness = Witness(house)
        transport = httpx.ASGITransport(app=witness)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=HEADERS) as visitor:
            conversation = ""
            for number, text in enumerate(texts):
                turn = await say(visitor, conversation, text, number)
                conversation = turn["conversation_id"]
                seen = witness.seen[-1]
                assert turn["message"]["id"] in seen["messages"] & seen["screened"]
                if turn["case_open"]:
                    assert conversation in seen["cases"]
                if turn["level"] not in {"none", "distress"}:
                    assert turn["case_open"]
                    assert turn["notice"]["id"] in seen["messages"]
                    assert turn["run"] is None
                else:
                    assert turn["run"]["id"] in seen["runs"]


async def test_a_sentence_is_on_the_disk_before_it_is_sent(tmp_path: Path) -> None:
    sent: list[tuple[str, bool]] = []

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            body = message.get("body", b"").decode()
            if "event: sentence" in body:
                data = next(line for line in body.splitlines() if line.startswith("data: "))
                text = json.loads(data.removeprefix("data: "))["text"]
                with closing(sqlite3.connect(casebook_path(tmp_path))) as database:
                    kept = "".join(row[0] for row in database.execute("SELECT text FROM messages"))
                sent.append((text, text in kept))
            await send(message)

        await house.app(scope, receive, watched)

    async with open_house(tmp_path) as house:
        transport = httpx.ASGITransport(app=watching)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=HEADERS) as visitor:
            turn = await say(visitor, "", "晚上睡不着", 0)
            path = f"/api/conversations/{turn['conversation_id']}/runs"
            body = {"kind": "another_view", "request_key": "order-view"}
            run = (await visitor.post(path, json=body)).json()["id"]
            await visitor.get(f"/api/runs/{run}/events")
    assert sent == [("听起来你很累。", True), ("可以先休息一下。", True)]
