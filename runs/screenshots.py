"""Pictures of every page on a phone and a desktop: `make screenshots`.

Turns nothing by itself: it serves a fresh folder with the model and report of
data/ if there are any, plays a visitor and a counsellor in headless Chromium
and writes PNG files to screenshots/.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from psyllm.core.stages import Stage, current_run

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from journeys import DESKTOP, FLAGS, PHONE, STAFF, Serving, ask, psyllm, sign_in  # noqa: E402 - lives with the tests

OUT = ROOT / "screenshots"
WIDTHS = {"phone": PHONE, "desktop": DESKTOP}


def main() -> None:
    """Take all pictures."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("Chromium is missing; install it: apt-get install chromium fonts-noto-cjk")
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        data = Path(folder)
        password = data / "password"
        password.write_text(STAFF[1])
        psyllm("serve", "staff", "add", STAFF[0], "--password-file", str(password), "--data", folder)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        with Serving(data) as site:
            for width in WIDTHS:
                _visitor(browser, site.url, width)
                _desk(browser, site.url, width)
        _report(browser)
        browser.close()


def _page(browser: Browser, url: str, width: str) -> Page:
    page = browser.new_context(viewport=WIDTHS[width], locale="zh-CN", reduced_motion="reduce").new_page()
    page.goto(url)
    return page


def _shoot(page: Page, name: str, width: str, *, whole: bool = False) -> None:
    path = OUT / f"{name}-{width}.png"
    page.wait_for_timeout(400)
    page.screenshot(path=path, full_page=whole)
    sys.stdout.write(f"{path.relative_to(ROOT)}\n")


def _visitor(browser: Browser, url: str, width: str) -> None:
    page = _page(browser, url, width)
    page.get_by_role("button", name="写好了，发送").wait_for()
    _shoot(page, "visitor", width)
    page.get_by_role("button", name="求助电话").click()
    _shoot(page, "help", width)
    page.get_by_role("button", name="关闭求助电话").click()
    page.get_by_role("button", name="我的数据").click()
    _shoot(page, "rights", width)
    page.get_by_role("button", name="关闭我的数据").click()
    ask(page, "论文文档打开三个月，只写了一个标题", "研三，每天打开文档，改一下标题字体，又关掉。")
    page.get_by_role("log").get_by_role("article").nth(1).wait_for()
    _shoot(page, "answer", width)
    page.get_by_role("button", name="给这段回答评分").first.click()
    _shoot(page, "rating", width, whole=True)
    page.get_by_role("textbox", name="接着说").fill("我不想活了，今晚就想跳下去")
    page.get_by_role("button", name="发送", exact=True).click()
    page.get_by_role("region", name="现在就可以打的电话").wait_for()
    _shoot(page, "danger", width)


def _desk(browser: Browser, url: str, width: str) -> None:
    desk = _page(browser, f"{url}/desk", width)
    desk.get_by_role("button", name="登录").wait_for()
    _shoot(desk, "login", width)
    sign_in(desk)
    desk.get_by_role("list", name="个案").get_by_role("link").first.wait_for()
    _shoot(desk, "desk", width)
    desk.get_by_role("list", name="个案").get_by_role("link").first.click()
    desk.get_by_role("button", name="接手这个个案").wait_for()
    _shoot(desk, "case", width)
    desk.get_by_role("button", name="退出").click()


def _report(browser: Browser) -> None:
    run = current_run(ROOT / "data", Stage.REPORTS)
    if run is None:
        sys.stdout.write("no report in data/ yet: run make demo first to have its picture too\n")
        return
    for width in WIDTHS:
        _shoot(_page(browser, (run / "report.html").as_uri(), width), "report", width)


if __name__ == "__main__":
    main()
