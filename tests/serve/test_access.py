"""Who may call what, generated from the table of routes: refused unless listed here."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from cleaned_story import dialogue, put_cleaned
from psyllm.casebook import staff
from psyllm.clean.draw import draw
from psyllm.serve.app import create_app
from serve_house import FakeEngine, House, ask, key, open_house, read, view

pytestmark = pytest.mark.anyio

ROLES = ("anonymous", "visitor", "other visitor", "staff", "disabled staff")
ANYBODY = dict.fromkeys(ROLES, True)
STAFF_ONLY = {"staff": True}
OWNER_ONLY = {"visitor": True}
# A browser that has asked nothing has an empty list, may ask, and erases nothing.
OPEN = {
    "GET /api/status",
    "GET /api/help",
    "GET /api/articles",
    "GET /{path:path}",
    "GET /api/conversations",
    "POST /api/conversations",
    "DELETE /api/me",
    "POST /api/staff/login",
}
# The rest of the staff is refused, which `test_training_routes.py` looks at with a supervisor, too.
OF_SUPERVISORS = {
    "GET /api/staff/trainings",
    "GET /api/staff/trainings/{run}",
    "GET /api/staff/trainings/{run}/curve",
}
# Every visitor has these of their own; the other visitor sees only what is the other visitor's.
OF_VISITORS = {"GET /api/me/export"}
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/conversations": {"title": "你好", "details": ""},
    "POST /api/conversations/{conversation_id}/messages": {"text": "你好"},
    "POST /api/conversations/{conversation_id}/runs": {"kind": "another_view"},
    "POST /api/messages/{message_id}/rating": {
        **dict.fromkeys(("helpfulness", "fluency", "relevance", "logic"), 3),
        "comment": "",
        "training_consent": False,
    },
    "POST /api/staff/login": {"name": "lin", "password": "correct horse battery"},
    "POST /api/staff/cases/{case_id}/messages": {"text": "我在"},
    "POST /api/staff/cases/{case_id}/close": {"reason": "resolved", "note": ""},
    "PUT /api/staff/reviews/{item}/decision": {
        "verdict": "accept",
        "reason": None,
        "note": "",
        "edited": None,
    },
}
KEYED = {
    "POST /api/conversations",
    "POST /api/conversations/{conversation_id}/messages",
    "POST /api/conversations/{conversation_id}/runs",
    "POST /api/staff/cases/{case_id}/messages",
}


def routes() -> list[str]:
    """Every method and path that the application answers, files aside."""
    app = create_app()
    found = [route for route in _flat(app.routes) if isinstance(route, APIRoute)]
    return sorted(f"{method} {route.path}" for route in found for method in route.methods)


def _flat(entries: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for entry in entries:
        inner = getattr(entry, "original_router", None)
        flat += _flat(inner.routes) if inner is not None else [entry]
    return flat


def allowed(route: str) -> dict[str, bool]:
    """Who may call a route: nobody but who is listed."""
    if route in OPEN:
        return ANYBODY
    if route in OF_VISITORS:
        return {"visitor": True, "other visitor": True}
    if route in OF_SUPERVISORS:
        return {}
    return STAFF_ONLY if route.split()[1].startswith("/api/staff/") else OWNER_ONLY


class Scene:
    """One visitor with a conversation, a case, a run and an answer, and everybody who might want them."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.browsers: dict[str, httpx.AsyncClient] = {}
        self.ids: dict[str, str] = {}
        self.version = 0

    async def set_up(self) -> None:
        visitor, other = self.house.browser(), self.house.browser()
        turn = await ask(visitor, "躺下就想很多事情")
        await ask(other, "考试前很紧张")
        conversation = turn["conversation_id"]
        desk = await self.house.hire("lin")
        disabled = await self.house.hire("wang")
        await staff.disable(self.house.parts.book, "wang")
        await visitor.post(f"/api/conversations/{conversation}/person")
        [case] = (await desk.get("/api/staff/cases")).json()
        self.browsers = dict(zip(ROLES, (self.house.browser(), visitor, other, desk, disabled), strict=True))
        put_cleaned(self.house.data, [dialogue(1)])
        [item] = draw(self.house.data, 1, seed=1).items
        self.ids = {
            "item": item.item,
            "conversation_id": conversation,
            "message_id": (await read(visitor, conversation))["messages"][1]["id"],
            "run_id": turn["run"]["id"],
            "case_id": case["id"],
            "run": "model-1",
            "path": "",
        }

    async def call(self, role: str, route: str, mark: str = "1") -> httpx.Response:
        method, template = route.split()
        path = template.replace(":path", "").format(**self.ids)
        body = BODIES.get(route)
        if body is not None and route in KEYED:
            body = {**body, "request_key": key()}
        if route.endswith(("cases/{case_id}/messages", "cases/{case_id}/close")) and body is not None:
            if role == "staff":
                taken = await self.browsers["staff"].post(f"/api/staff/cases/{self.ids['case_id']}/take")
                self.version = taken.json()["conversation"]["version"]
            body = {**body, "base_version": self.version}
        headers = {"X-Psy-Request": mark}
        return await self.browsers[role].request(method, path, json=body, headers=headers)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_house(tmp_path, FakeEngine()) as house:
        opened = Scene(house)
        await opened.set_up()
        yield opened


def test_the_table_has_all_routes_of_the_description() -> None:
    described = {
        f"{method.upper()} {path}"
        for path, operations in create_app().openapi()["paths"].items()
        for method in operations
    }
    assert described == set(routes()) - {"GET /{path:path}"}
    assert len(described) == 30


@pytest.mark.parametrize("route", routes())
async def test_a_route_answers_only_those_who_may(scene: Scene, route: str) -> None:
    # The refused come first, so that they find everything still in its place.
    for role in sorted(ROLES, key=lambda one: allowed(route).get(one, False)):
        response = await scene.call(role, route)
        if allowed(route).get(role, False):
            assert response.status_code < 300, (role, route, response.text)
            continue
        wanted = 401 if route.split()[1].startswith("/api/staff/") else 404
        if route in OF_SUPERVISORS and role == "staff":
            wanted = 403
        assert response.status_code == wanted, (role, route, response.status_code)
        assert response.headers["content-type"] == "application/problem+json"
        assert "躺下就想很多" not in response.text


async def test_each_visitor_exports_only_their_own(scene: Scene) -> None:
    other = (await scene.browsers["other visitor"].get("/api/me/export")).text
    assert "考试前很紧张" in other
    assert "躺下就想很多" not in other


@pytest.mark.parametrize("route", [route for route in routes() if not route.startswith("GET")])
async def test_an_unsafe_request_without_the_mark_is_refused(scene: Scene, route: str) -> None:
    for role in ("visitor", "staff"):
        response = await scene.call(role, route, mark="")
        assert response.status_code == 403, (role, route)
        assert response.json()["code"] == "PSY-502"
    listed = (await scene.browsers["visitor"].get("/api/conversations")).json()
    assert len(listed) == 1


async def test_a_staff_cookie_opens_no_visitors_route_and_a_visitors_cookie_no_desk(scene: Scene) -> None:
    conversation = scene.ids["conversation_id"]
    assert (await scene.browsers["staff"].get(f"/api/conversations/{conversation}")).status_code == 404
    swapped = scene.house.browser()
    swapped.cookies.set("psy_staff", scene.browsers["visitor"].cookies["psy_visitor"])
    assert (await swapped.get("/api/staff/cases")).status_code == 401


@pytest.mark.parametrize("secret", ["", "x", "x" * 10_000, "' OR 1=1 --", "null"])
async def test_a_made_up_secret_opens_nothing(scene: Scene, secret: str) -> None:
    for name, path, status in (
        ("psy_visitor", f"/api/conversations/{scene.ids['conversation_id']}", 404),
        ("psy_staff", "/api/staff/cases", 401),
    ):
        guess = scene.house.browser()
        guess.cookies.set(name, secret)
        assert (await guess.get(path)).status_code == status


async def test_another_view_for_a_stranger_starts_nothing(scene: Scene) -> None:
    response = await view(scene.browsers["other visitor"], scene.ids["conversation_id"])
    assert response.status_code == 404
    assert scene.house.engine.asked == []
