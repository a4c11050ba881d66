"""Every page at both widths without an axe violation; each flow by keyboard alone."""

import pytest
from playwright.sync_api import Page, expect

from journeys import DESKTOP, PHONE, STAFF, ask, axe, sign_in

WIDTHS = pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])


def tab_to(page: Page, name: str, *, most: int = 60) -> None:
    """Press Tab until the element with this name has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { const e = document.activeElement; const l = e.labels && e.labels[0];"
            " return (e.getAttribute('aria-label') || (l && l.innerText) || e.innerText || '').trim(); }"
        )
        if focused.startswith(name):
            return
    pytest.fail(f"{name} can't be reached with Tab")


@WIDTHS
def test_the_visitors_pages_have_no_violation(open_page, viewport):
    page = open_page("/", viewport)
    page.get_by_role("button", name="写好了，发送").wait_for()
    assert axe(page) == []
    page.get_by_role("button", name="求助电话").click()
    assert axe(page) == []
    page.get_by_role("button", name="关闭求助电话").click()
    page.get_by_role("button", name="我的数据").click()
    assert axe(page) == []
    page.get_by_role("button", name="关闭我的数据").click()
    ask(page, "和室友吵架了怎么办")
    page.get_by_role("log").get_by_role("article").nth(1).wait_for()
    assert axe(page) == []
    page.get_by_role("textbox", name="接着说").fill("我不想活了，今晚就想跳下去")
    page.get_by_role("button", name="发送", exact=True).click()
    page.get_by_role("region", name="现在就可以打的电话").wait_for()
    assert axe(page) == []


@WIDTHS
def test_the_desks_pages_have_no_violation(open_page, viewport):
    visitor = open_page()
    ask(visitor, "我不想活了，药已经准备好了")
    desk = open_page("/desk", viewport)
    desk.get_by_role("button", name="登录").wait_for()
    assert axe(desk) == []
    sign_in(desk)
    desk.get_by_role("list", name="个案").get_by_role("link").first.wait_for()
    assert axe(desk) == []
    desk.get_by_role("list", name="个案").get_by_role("link").first.click()
    desk.get_by_role("button", name="接手这个个案").wait_for()
    assert axe(desk) == []
    desk.get_by_role("button", name="接手这个个案").click()
    desk.get_by_role("button", name="结束这个个案").click()
    assert axe(desk) == []


def test_nothing_is_wider_than_a_small_phone(open_page):
    page = open_page("/", {"width": 320, "height": 640})
    ask(page, "考试前我特别紧张")
    page.get_by_role("log").get_by_role("article").nth(1).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_asking_rating_and_help_by_keyboard(open_page):
    page = open_page("/", DESKTOP)
    page.get_by_role("button", name="写好了，发送").wait_for()
    tab_to(page, "求助电话")
    page.keyboard.press("Enter")
    expect(page.locator('a[href="tel:12356"]').first).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_timeout(1200)
    tab_to(page, "用一句话说说是什么事")
    page.keyboard.type("我最近总是睡不好")
    tab_to(page, "写好了，发送")
    page.keyboard.press("Enter")
    page.get_by_role("log").get_by_role("article").nth(1).wait_for()
    tab_to(page, "给这段回答评分")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
    tab_to(page, "提交评分")
    page.keyboard.press("Enter")
    expect(page.get_by_text("谢谢，评分已经收到。")).to_be_visible()
    tab_to(page, "接着说")
    page.keyboard.type("还是睡不好")
    tab_to(page, "发送")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log").get_by_text("还是睡不好", exact=True)).to_be_visible()


def test_the_desk_by_keyboard(open_page):
    visitor = open_page()
    ask(visitor, "我不想活了，药已经准备好了")
    desk = open_page("/desk", DESKTOP)
    desk.get_by_role("button", name="登录").wait_for()
    tab_to(desk, "姓名")
    desk.keyboard.type(STAFF[0])
    tab_to(desk, "密码")
    desk.keyboard.type(STAFF[1])
    desk.keyboard.press("Enter")
    desk.get_by_role("list", name="个案").get_by_role("link").first.wait_for()
    desk.get_by_role("list", name="个案").get_by_role("link").first.focus()
    desk.keyboard.press("Enter")
    desk.get_by_role("button", name="接手这个个案").wait_for()
    tab_to(desk, "接手这个个案")
    desk.keyboard.press("Enter")
    desk.get_by_role("textbox", name="回复来访者").wait_for()
    tab_to(desk, "回复来访者")
    desk.keyboard.type("你好，我在。")
    tab_to(desk, "发出回复")
    desk.keyboard.press("Enter")
    expect(visitor.get_by_text("你好，我在。")).to_be_visible()
