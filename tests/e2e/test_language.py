"""The same pages for somebody who reads English, and for somebody who is elsewhere."""

import re

import pytest
from playwright.sync_api import expect

from journeys import DESKTOP, PHONE, axe, sign_in

ENGLISH = {"locale": "en-GB"}


def write(page, title):
    page.get_by_label("In one sentence, what is it about?").fill(title)
    page.get_by_role("button", name="Send it").click()
    page.get_by_role("log").wait_for()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_an_english_browser_gets_english_pages_without_a_fault_that_axe_finds(open_page, viewport):
    page = open_page("/", viewport, **ENGLISH)
    expect(page.get_by_role("heading", name="Write down what is on your mind")).to_be_visible()
    expect(page.get_by_text("answers you find here are in Chinese")).to_be_visible()
    assert axe(page) == []
    page.get_by_role("button", name="Get help").click()
    expect(page.get_by_text("National psychological support line").first).to_be_visible()
    assert axe(page) == []
    page.get_by_role("button", name="Close the numbers").click()
    write(page, "最近总是睡不着，一躺下就想很多")
    expect(page.get_by_text("no professional has reviewed it yet").first).to_be_visible()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing is cut off"


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_an_english_desk_has_no_fault_that_axe_finds(open_page, viewport):
    visitor = open_page(**ENGLISH)
    write(visitor, "I want to kill myself tonight")
    desk = open_page("/desk", viewport)
    sign_in(desk)
    desk.get_by_role("button", name="Switch to English").click()
    desk.get_by_role("list", name="Cases").get_by_role("link").first.click()
    desk.get_by_role("button", name="Take this case").wait_for()
    expect(desk.get_by_text("Visitor's page")).to_be_visible()
    expect(
        desk.get_by_role("complementary").or_(desk.locator("main")).get_by_text("English", exact=True)
    ).to_be_visible()
    assert axe(desk) == []


def test_danger_in_english_is_answered_in_english_with_numbers_first(open_page):
    page = open_page(**ENGLISH)
    write(page, "I want to die. I am going to jump tonight")
    card = page.get_by_role("region", name="Numbers you can call now")
    expect(card).to_be_visible()
    notice = page.get_by_text("The most important thing at this moment is not to be alone.")
    expect(notice).to_be_visible()
    assert card.bounding_box()["y"] < notice.bounding_box()["y"]
    expect(page.get_by_text("nobody is reading right now")).to_be_visible()
    assert not re.search("notified|on (the|their) way", page.locator("main").inner_text())


def test_switching_keeps_the_words_and_a_reload_keeps_the_language(open_page):
    page = open_page()
    page.get_by_label("用一句话说说是什么事").fill("我说不出口")
    page.get_by_label("想多说一点（可以不写）").fill("已经半年了")
    page.get_by_role("button", name="Switch to English").click()
    expect(page.get_by_label("In one sentence, what is it about?")).to_have_value("我说不出口")
    expect(page.get_by_label("Say a little more, if you like")).to_have_value("已经半年了")
    page.reload()
    expect(page.get_by_role("button", name="Send it")).to_be_visible()
    page.get_by_role("button", name="切换到中文").click()
    expect(page.get_by_role("button", name="写好了，发送")).to_be_visible()


def test_an_open_conversation_changes_its_language_around_the_words(open_page):
    page = open_page()
    page.get_by_label("用一句话说说是什么事").fill("和室友吵架了怎么办")
    page.get_by_role("button", name="写好了，发送").click()
    answer = page.get_by_role("log").get_by_role("article").nth(1)
    answer.wait_for()
    said = answer.locator(".message-text").inner_text()
    page.get_by_role("textbox", name="接着说").fill("我还没说完")
    page.get_by_role("button", name="Switch to English").click()
    expect(page.get_by_role("textbox", name="Go on")).to_have_value("我还没说完")
    assert answer.locator(".message-text").inner_text() == said
    assert answer.locator(".message-text").get_attribute("lang") == "zh-CN"


def test_somebody_in_taiwan_sees_the_line_of_that_place_first(open_page):
    page = open_page(locale="zh-TW", zone="Asia/Taipei")
    page.get_by_role("button", name="求助电话").click()
    numbers = page.locator(".help-line .help-number").all_inner_texts()
    assert numbers[0] == "1925"
    assert "120" in numbers
    assert numbers.count("1925") == 1
