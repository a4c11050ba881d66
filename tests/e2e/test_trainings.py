"""A supervisor watches a training grow by itself, reads its values by keys, and lays another over it."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from journeys import DESKTOP, PHONE, Serving, axe, psyllm
from psyllm.core.run_events import being_made
from training_story import falling_lines, put_story, write_lines

PASSWORD = "a long password for tests"
# A folder for pictures to look at, given by hand.
SHOTS = os.environ.get("PSYLLM_SHOTS")
# A busy machine is no fault of the page, which looks every three seconds.
PATIENCE_MS = 60_000


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A data folder with a complete and a running training, and a supervisor."""
    put_story(tmp_path)
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    words = ("--role", "supervisor", "--password-file", str(password), "--data", str(tmp_path))
    psyllm("serve", "staff", "add", "chen", *words)
    return tmp_path


def open_list(browser, url: str, faults: list[str], viewport, scheme: str) -> Page:
    context = browser.new_context(
        viewport=viewport, locale="zh-CN", reduced_motion="reduce", color_scheme=scheme
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: request.url.startswith(url) or faults.append(request.url))
    page.goto(f"{url}/desk/runs")
    page.get_by_label("姓名").fill("chen")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("heading", name="模型训练").wait_for()
    page.get_by_role("link", name="model-ed67782de41d").wait_for()
    return page


def picture(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.mark.parametrize(("device", "scheme"), [("desktop", "light"), ("phone", "light"), ("phone", "dark")])
def test_a_training_grows_before_the_eyes_of_a_supervisor(browser, trained: Path, device, scheme) -> None:
    faults: list[str] = []
    viewport = {"desktop": DESKTOP, "phone": PHONE}[device]
    running = trained / "4_models" / "model-ed67782de41d"
    with being_made(running), Serving(trained, "serve.model=none") as site:
        page = open_list(browser, site.url, faults, viewport, scheme)
        assert axe(page) == []
        picture(page, f"runs-{device}-{scheme}")
        page.get_by_role("link", name="model-ed67782de41d").click()
        reader = page.get_by_role("slider")
        expect(reader).to_have_attribute(
            "aria-valuetext", "第 250 步 · 训练损失 3.990 · 验证损失 4.140", timeout=PATIENCE_MS
        )
        expect(page.get_by_role("heading", name="现在")).to_be_visible()
        assert axe(page) == []

        write_lines(running, falling_lines(300, 3.8))
        expect(reader).to_have_attribute(
            "aria-valuetext", "第 300 步 · 训练损失 3.883 · 验证损失 4.033", timeout=PATIENCE_MS
        )
        reader.focus()
        page.keyboard.press("ArrowLeft")
        expect(reader).to_have_attribute(
            "aria-valuetext", "第 290 步 · 训练损失 4.009 · 验证损失 4.140", timeout=PATIENCE_MS
        )

        page.get_by_role("combobox").select_option("model-3da3bbb2641a")
        legend = page.locator(".chart-legend").get_by_text("验证损失（model-3da3bb）")
        expect(legend).to_be_visible(timeout=PATIENCE_MS)
        assert axe(page) == []
        picture(page, f"run-{device}-{scheme}")
        page.get_by_text("看数字表").click()
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        page.context.close()
    assert faults == []
