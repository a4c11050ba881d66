"""Pages and headers: one page for every path, strict headers, help lines even without a page."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from psyllm.safety.directory import help_lines
from psyllm.serve.pages import serve_pages
from psyllm.serve.problems import answer_errors
from serve_house import House

pytestmark = pytest.mark.anyio


def site(house: House, static: Path) -> httpx.AsyncClient:
    """A site of pages only, with the house's parts."""
    app = FastAPI()
    app.state.parts = house.parts
    serve_pages(app, static)
    answer_errors(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<p>the app</p>", "utf-8")
    (folder / "favicon.svg").write_text("<svg/>", "utf-8")
    (folder / "assets" / "main-1a2b.js").write_text("1", "utf-8")
    (folder / ".secret").write_text("no", "utf-8")
    (tmp_path / "outside.txt").write_text("outside", "utf-8")
    return folder


@pytest.mark.parametrize("path", ["/", "/desk", "/c/123", "/desk/cases/9", "/.secret"])
async def test_every_path_of_the_app_is_its_one_page(house: House, static: Path, path: str) -> None:
    response = await site(house, static).get(path)
    assert (response.status_code, response.text) == (200, "<p>the app</p>")
    assert response.headers["cache-control"] == "no-cache"


async def test_files_are_served_and_nothing_outside_the_folder(house: House, static: Path) -> None:
    pages = site(house, static)
    assert (await pages.get("/assets/main-1a2b.js")).text == "1"
    assert (await pages.get("/favicon.svg")).text == "<svg/>"
    assert (await pages.get("/assets/none.js")).status_code == 404
    for path in (
        "/../outside.txt",
        "/..%2foutside.txt",
        "/assets/..%2f..%2foutside.txt",
        "/%2e%2e/outside.txt",
    ):
        assert "outside" not in (await pages.get(path)).text


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/staff/nothing"])
async def test_an_unknown_path_of_the_api_is_a_problem(house: House, path: str) -> None:
    response = await house.browser().get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_without_the_built_app_the_page_gives_the_help_lines(house: House, tmp_path: Path) -> None:
    response = await site(house, tmp_path / "nothing").get("/")
    assert response.status_code == 200
    for line in help_lines("CN"):
        assert f"tel:{line.tel}" in response.text
    assert "make" in response.text


async def test_every_response_has_the_security_headers(house: House) -> None:
    for path in ("/", "/api/status", "/api/nothing", "/api/staff/me"):
        headers = (await house.browser().get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        if path.startswith("/api"):
            assert headers["cache-control"] == "no-store"


async def test_the_help_directory_gives_the_region_first_and_every_line(house: House) -> None:
    found = (await house.browser().get("/api/help")).json()
    regions = [line["region"] for line in found["lines"]]
    assert len(regions) == len(help_lines())
    own = [region.startswith("CN") for region in regions]
    assert own == sorted(own, reverse=True)
    assert all(line["call_tested"] is None for line in found["lines"])
    assert found["checked_on"] == "2026-11-22"
