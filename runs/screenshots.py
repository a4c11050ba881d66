"""Pictures of every page on a phone and a desktop, in both languages: `make screenshots`.

Turns nothing by itself: it serves fresh folders, one of them with trainings that were
made up, plays a visitor, a counsellor and a supervisor in headless Chromium, takes the
report of data/ if there is one, and writes PNG files to screenshots/.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from psyllm.core.stages import Stage, current_run

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from journeys import DESKTOP, FLAGS, PHONE, STAFF, Serving, psyllm  # noqa: E402 - lives with the tests
from psyllm.core.run_events import being_made  # noqa: E402
from training_story import put_story  # noqa: E402

OUT = ROOT / "screenshots"
WIDTHS = {"phone": PHONE, "desktop": DESKTOP}


class Words(NamedTuple):
    """What the buttons are called in one language, and what the visitor writes."""

    tag: str
    locale: str
    send: str
    help: str
    close_help: str
    data: str
    close_data: str
    read: str
    close_read: str
    question: str
    rate: str
    say: str
    danger: str
    card: str
    sign_in: str
    cases: str
    take: str
    sign_out: str
    trainings: str
    compare: str


ARTICLE = "睡不着的夜里"
CHINESE = Words(
    tag="zh",
    locale="zh-CN",
    send="写好了，发送",
    help="求助电话",
    close_help="关闭求助电话",
    data="我的数据",
    close_data="关闭我的数据",
    read="先看看短文",
    close_read="关闭短文",
    question="论文拖了三个月，一个字都写不出来",
    rate="给这段回答评分",
    say="发送",
    danger="我不想活了，今晚就想跳下去",
    card="现在就可以打的电话",
    sign_in="登录",
    cases="个案",
    take="接手这个个案",
    sign_out="退出",
    trainings="模型训练",
    compare="和另一次训练比",
)
ENGLISH = Words(
    tag="en",
    locale="en-GB",
    send="Send it",
    help="Get help",
    close_help="Close the numbers",
    data="My data",
    close_data="Close my data",
    read="Read something first",
    close_read="Close the texts",
    question="论文拖了三个月，一个字都写不出来",
    rate="Rate this answer",
    say="Send",
    danger="I want to die, I am going to jump tonight",
    card="Numbers you can call now",
    sign_in="Sign in",
    cases="Cases",
    take="Take this case",
    sign_out="Sign out",
    trainings="Trainings",
    compare="Compare with another training",
)


def main() -> None:
    """Take all pictures."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("Chromium is missing; install it: apt-get install chromium fonts-noto-cjk")
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        data = Path(folder)
        _hire(data, "counsellor")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        with Serving(data) as site:
            for words in (CHINESE, ENGLISH):
                for width in WIDTHS:
                    _visitor(browser, site.url, words, width)
                    _desk(browser, site.url, words, width)
        _all_trainings(browser, data / "trainings")
        _plain(browser)
        _report(browser)
        browser.close()


def _hire(data: Path, role: str) -> None:
    data.mkdir(exist_ok=True)
    password = data / "password"
    password.write_text(STAFF[1])
    words = ("--role", role, "--password-file", str(password), "--data", str(data))
    psyllm("serve", "staff", "add", STAFF[0], *words)


def _page(browser: Browser, url: str, width: str, locale: str = "zh-CN") -> Page:
    page = browser.new_context(viewport=WIDTHS[width], locale=locale, reduced_motion="reduce").new_page()
    page.goto(url)
    return page


def _shoot(page: Page, name: str, width: str, *, whole: bool = False) -> None:
    path = OUT / f"{name}-{width}.png"
    page.wait_for_timeout(400)
    page.screenshot(path=path, full_page=whole)
    sys.stdout.write(f"{path.relative_to(ROOT)}\n")


def _visitor(browser: Browser, url: str, words: Words, width: str) -> None:
    page = _page(browser, url, width, words.locale)

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).first.click()

    def shoot(name: str, *, whole: bool = False) -> None:
        _shoot(page, f"{name}-{words.tag}", width, whole=whole)

    page.get_by_role("button", name=words.send).wait_for()
    shoot("visitor", whole=True)
    press(words.help)
    shoot("help", whole=True)
    press(words.close_help)
    press(words.data)
    shoot("rights")
    press(words.close_data)
    press(words.read)
    page.get_by_role("button", name=ARTICLE).wait_for()
    shoot("reading")
    press(ARTICLE)
    shoot("article")
    press(words.close_read)
    page.get_by_role("textbox").first.fill(words.question)
    press(words.send)
    page.get_by_role("log").get_by_role("article").nth(1).wait_for()
    shoot("answer")
    press(words.rate)
    shoot("rating")
    page.get_by_role("textbox").last.fill(words.danger)
    press(words.say)
    page.get_by_role("region", name=words.card).wait_for()
    shoot("danger")


def _desk(browser: Browser, url: str, words: Words, width: str) -> None:
    desk = _page(browser, f"{url}/desk", width, words.locale)
    desk.get_by_role("button", name=words.sign_in).wait_for()
    _shoot(desk, f"login-{words.tag}", width)
    _sign_in(desk, words)
    first = desk.get_by_role("list", name=words.cases).get_by_role("link").first
    first.wait_for()
    _shoot(desk, f"desk-{words.tag}", width)
    first.click()
    desk.get_by_role("button", name=words.take).wait_for()
    _shoot(desk, f"case-{words.tag}", width, whole=True)
    desk.get_by_role("button", name=words.sign_out).click()


def _sign_in(desk: Page, words: Words) -> None:
    desk.get_by_role("textbox").first.fill(STAFF[0])
    desk.get_by_role("textbox").last.fill(STAFF[1])
    desk.get_by_role("button", name=words.sign_in).click()


def _all_trainings(browser: Browser, data: Path) -> None:
    """What a supervisor sees of trainings, one of which runs."""
    _hire(data, "supervisor")
    running = put_story(data)
    with being_made(running), Serving(data, "serve.model=none") as site:
        for words in (CHINESE, ENGLISH):
            for width in WIDTHS:
                _trainings(browser, site.url, words, width, running.name)


def _trainings(browser: Browser, url: str, words: Words, width: str, running: str) -> None:
    desk = _page(browser, f"{url}/desk/runs", width, words.locale)
    _sign_in(desk, words)
    desk.get_by_role("heading", name=words.trainings).wait_for()
    desk.get_by_role("link", name=running).wait_for()
    _shoot(desk, f"trainings-{words.tag}", width, whole=True)
    desk.get_by_role("link", name=running).click()
    choice = desk.get_by_role("combobox", name=words.compare)
    choice.select_option(index=1)
    desk.locator(".chart-other").first.wait_for()
    desk.evaluate("scrollTo(0, 0)")
    _shoot(desk, f"training-{words.tag}", width, whole=True)
    desk.get_by_role("button", name=words.sign_out).click()


def _plain(browser: Browser) -> None:
    """The page as it is before and without any script."""
    page = browser.new_context(viewport=PHONE, java_script_enabled=False).new_page()
    page.goto((ROOT / "src" / "psyllm" / "serve" / "static" / "index.html").as_uri())
    _shoot(page, "no-script", "phone", whole=True)


def _report(browser: Browser) -> None:
    run = current_run(ROOT / "data", Stage.REPORTS)
    if run is None:
        sys.stdout.write("no report in data/ yet: run make demo first to have its picture too\n")
        return
    for width in WIDTHS:
        _shoot(_page(browser, (run / "report.html").as_uri(), width), "report", width)


if __name__ == "__main__":
    main()
