"""A real server, a real small model and a real browser, for whole journeys."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from conftest import is_missing
from journeys import FLAGS, PHONE, STAFF, Serving, Site, psyllm
from memorised import memorised_model
from psyllm.core.stages import Stage, StageRun, writing

# A page looks for news every four seconds; on a busy machine the five that Playwright waits are too few.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; without one these tests fail in CI and are skipped elsewhere."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        is_missing("Chromium is missing; install it: apt-get install chromium")
    return program


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def data_with_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose model in use has learnt three answers by heart, and one counsellor."""
    data = tmp_path_factory.mktemp("site")
    with writing(StageRun(data, Stage.MODELS, "memorised", "mark", (), {})) as run:
        memorised_model(run.folder / "model")
        run.finish(counts={"answers": 3})
    # Playwright holds an event loop in this thread, so the program is started as a user starts it.
    password = data / "password"
    password.write_text(STAFF[1])
    psyllm("serve", "staff", "add", STAFF[0], "--password-file", str(password), "--data", str(data))
    return data


@pytest.fixture(scope="session")
def site(data_with_model: Path) -> Iterator[Site]:
    exact = ("serve.decoding.temperature=0", "serve.decoding.repetition_penalty=1")
    # Whatever is asked finds some answer, so that there is one to rate.
    with Serving(data_with_model, *exact, "serve.nearest_floor=0.01") as opened:
        wait_for_the_model(opened)
        yield opened


def wait_for_the_model(site: Site) -> None:
    """Until it is ready, "another view" comes from the library: right for visitors, not what is tested here."""
    for _ in range(600):
        if httpx.get(f"{site.url}/api/status").json()["generation"] == "ready":
            return
        time.sleep(0.1)
    pytest.fail("the model was not ready after a minute")


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[OpenPage]:
    """A function that opens an address as a new person; any error of the page fails the test."""
    contexts, faults = [], []

    def open_it(
        path: str = "/", viewport: dict[str, int] = PHONE, locale: str = "zh-CN", zone: str = "Asia/Shanghai"
    ) -> Page:
        context = browser.new_context(
            viewport=viewport, locale=locale, timezone_id=zone, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: (
                request.url.startswith((site.url, "blob:", "data:")) or faults.append(request.url)
            ),
        )
        page.goto(site.url + path)
        return page

    yield open_it
    for context in contexts:
        # The next test finds an empty queue and nobody at the desk.
        context.set_offline(False)
        for leave in (context.request.delete, context.request.post):
            path = "/api/me" if leave == context.request.delete else "/api/staff/logout"
            leave(site.url + path, headers={"X-Psy-Request": "1"})
        context.close()
    assert faults == [], "the page broke, or asked somebody else for something"
