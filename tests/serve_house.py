"""A whole service in the test's own process: real casebook and routes, a scripted model."""

import asyncio
import datetime as dt
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from psyllm.casebook import staff
from psyllm.casebook.kinds import Role
from psyllm.core.errors import EngineFailed
from psyllm.core.private import Private
from psyllm.core.records import Answer, Record
from psyllm.core.settings import Decoding, ServeSettings
from psyllm.lm.engine import Health
from psyllm.lm.template import Message
from psyllm.safety.guard import Verdict
from psyllm.safety.levels import Level
from psyllm.safety.screen import Reason, Screening
from psyllm.serve.answer import Library
from psyllm.serve.app import create_app
from psyllm.serve.parts import Parts, open_parts
from psyllm.serve.reply import Limits, Speaker, today_utc
from psyllm.serve.screening import Screener

PASSWORD = "correct horse battery"
HEADERS = {"X-Psy-Request": "1"}
LOW_FLOOR = 0.05  # so that these tests do not hang on how nearness is scored
# Words that stand for a level in these tests, so that they don't hang on the lexicon.
SIGNS = {"甲级": Level.DISTRESS, "乙级": Level.RISK, "丙级": Level.URGENT, "丁级": Level.IN_PROGRESS}


def screen_signs(turns: Sequence[str]) -> Screening:
    """A screening that knows four words."""

    def level_of(text: str) -> Level:
        return max((level for sign, level in SIGNS.items() if sign in text), default=Level.NONE)

    own = level_of(turns[-1])
    highest = max(level_of(turn) for turn in turns)
    reasons = (Reason(f"sign-{own.label}", own, "self", 0, 0),) if own else ()
    return Screening(highest, own, reasons, "signs-1")


def guard_signs(text: str, *, final: bool, asked: str | None = None) -> Verdict:
    """A guard that lets everything pass but the word 禁词, and no empty answer."""
    fine = "禁词" not in text and not (final and not text)
    return Verdict(fine, () if fine else ("forbidden",))


def question(number: int, title: str, text: str, answer: str) -> Record:
    """A library question that may be shown."""
    return Record(
        id=f"starter:{number}",
        kind="question",
        group=f"starter:{number}",
        source="starter",
        licence="CC-BY-4.0",
        title=title,
        text=text,
        answers=(Answer(text=answer, author="project", written_for_this_project=True),),
        may_show=True,
    )


SHELF = (
    question(1, "晚上总是睡不着怎么办", "躺下就想很多事情，越想越清醒。", "可以先把睡前的想法写下来。"),
    question(2, "考试前很紧张", "一想到考试就心慌手抖。", "紧张是身体在帮你做准备。"),
    question(3, "失眠两个月了", "晚上睡不着，白天没精神。", "先固定起床的时间，再看看白天睡了多少。"),
)


@dataclass
class FakeEngine:
    """A model that says what it is told, piece by piece, and waits where a piece is None."""

    script: Sequence[str | None] = ("听起来你很累。", "可以先休息一下。")
    dies: bool = False
    reason: str = "end"
    state: str = "ready"
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[list[Message]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    closed: bool = False

    async def submit(self, messages: Sequence[Message], _decoding: Decoding, _seed: int) -> str:
        self.asked.append(list(messages))
        return f"ticket-{len(self.asked)}"

    async def stream(self, ticket: str) -> AsyncIterator[str]:
        for piece in self.script:
            if piece is None:
                await self.go_on.wait()
            elif ticket not in self.cancelled:
                yield piece
        if self.dies:
            raise EngineFailed("the model's process is down", "try again")

    def finish_reason(self, ticket: str) -> str:
        return "cancelled" if ticket in self.cancelled else self.reason

    async def cancel(self, ticket: str) -> None:
        self.cancelled.append(ticket)
        self.go_on.set()

    async def health(self) -> Health:
        return Health(self.state, "train-test", 0)

    async def close(self) -> None:
        self.closed = True


@dataclass
class House:
    """The running app with its parts, and a browser for everybody who comes."""

    app: FastAPI
    parts: Parts
    engine: FakeEngine
    data: Path

    def browser(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=HEADERS)

    async def hire(self, name: str = "lin", role: Role = Role.COUNSELLOR) -> httpx.AsyncClient:
        """Somebody joins the staff and signs in."""
        await staff.add(self.parts.book, name, role, Private(PASSWORD))
        desk = self.browser()
        response = await desk.post("/api/staff/login", json={"name": name, "password": PASSWORD})
        assert response.status_code == 200, response.text
        return desk


@asynccontextmanager
async def open_house(
    data: Path,
    engine: FakeEngine | None = None,
    *,
    screen: Callable[[Sequence[str]], Screening] = screen_signs,
    guard: Callable[..., Verdict] = guard_signs,
    timeout_s: float = 10.0,
    limit_s: float = 2.0,
    last_day: dt.date | None = None,
    today: Callable[[], dt.date] = today_utc,
    **changes: Any,
) -> AsyncIterator[House]:
    """Open a house with scripted parts; `changes` are settings."""
    scripted = engine or FakeEngine()
    settings = ServeSettings(**changes)

    async def start(folder: Path, threads: int) -> FakeEngine:
        return scripted

    limits = Limits(Decoding(), timeout_s, 1)
    speaker = Speaker(data, limits, start, guard, last_day=last_day, today=today)
    app = create_app(
        lambda: open_parts(
            settings,
            data,
            screener=Screener(screen, limit_s),
            speaker=speaker,
            library=Library(SHELF, LOW_FLOOR),
        )
    )
    async with app.router.lifespan_context(app):
        yield House(app, app.state.parts, scripted, data)


_KEYS = itertools.count()


def key() -> str:
    """A fresh request key."""
    return f"request-{next(_KEYS):06d}"


async def ask(
    browser: httpx.AsyncClient, title: str = "晚上睡不着", details: str = "", **more: Any
) -> dict[str, Any]:
    """Ask a question; return the turn."""
    body = {"title": title, "details": details, "request_key": key(), **more}
    response = await browser.post("/api/conversations", json=body)
    assert response.status_code == 201, response.text
    turn: dict[str, Any] = response.json()
    return turn


async def say(browser: httpx.AsyncClient, conversation: str, text: str) -> dict[str, Any]:
    """Say more; return the turn."""
    response = await browser.post(
        f"/api/conversations/{conversation}/messages", json={"text": text, "request_key": key()}
    )
    assert response.status_code == 201, response.text
    turn: dict[str, Any] = response.json()
    return turn


async def view(browser: httpx.AsyncClient, conversation: str) -> httpx.Response:
    """Ask for another view."""
    return await browser.post(
        f"/api/conversations/{conversation}/runs", json={"kind": "another_view", "request_key": key()}
    )


async def read(browser: httpx.AsyncClient, conversation: str) -> dict[str, Any]:
    """Read a conversation."""
    response = await browser.get(f"/api/conversations/{conversation}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def events(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Read a stream of server-sent events: number, name, data."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "data" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


async def until_the_model_speaks(browser: httpx.AsyncClient, conversation: str) -> None:
    """Wait until a first sentence of the model is in the conversation."""
    for _ in range(500):
        if (await read(browser, conversation))["messages"][-1]["author"] == "model":
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the model said nothing")


async def follow(browser: httpx.AsyncClient, run: str, **more: Any) -> list[tuple[int, str, dict[str, Any]]]:
    """Follow a run to its end."""
    response = await browser.get(f"/api/runs/{run}/events", **more)
    assert response.status_code == 200, response.text
    return events(response.text)
