"""What a visitor lives through, from the first look to erasure."""

import json

import pytest
from playwright.sync_api import expect

from journeys import ask, axe
from memorised import MEMORISED
from psyllm.core.starter import starter_records

QUESTION = next(record for record in starter_records() if record.kind == "question")


def test_before_the_first_word_the_visitor_reads_who_can_see_it(open_page):
    page = open_page()
    expect(page.get_by_text("发送之前，先看一眼")).to_be_visible()
    expect(page.get_by_text("试用，不接待真实来访者")).to_be_visible()
    expect(page.get_by_text("不是医生")).to_be_visible()


def test_help_lines_are_reachable_without_a_word_and_are_telephone_links(open_page):
    page = open_page()
    page.get_by_role("button", name="求助电话").click()
    for number in ("12356", "120", "110"):
        expect(page.locator(f'a[href="tel:{number}"]').first).to_be_visible()


def test_help_stays_on_the_screen_when_the_server_does_not_answer(open_page):
    page = open_page()
    page.get_by_role("button", name="写好了，发送").wait_for()
    page.context.set_offline(True)
    page.get_by_label("用一句话说说是什么事").fill("今天很难受")
    page.get_by_role("button", name="写好了，发送").click()
    expect(page.locator('a[href="tel:12356"]').first).to_be_visible()
    expect(page.get_by_label("用一句话说说是什么事")).to_have_value("今天很难受")
    page.context.set_offline(False)
    page.get_by_role("button", name="写好了，发送").click()
    expect(page.get_by_role("log").get_by_text("今天很难受")).to_be_visible()


def test_a_question_gets_the_nearest_bundled_answer_called_what_it_is(open_page):
    page = open_page()
    ask(page, QUESTION.title, QUESTION.text)
    log = page.get_by_role("log")
    expect(log.get_by_text(QUESTION.answers[0].text[:20])).to_be_visible()
    expect(log.get_by_text("还没有专业人员审过")).to_be_visible()
    expect(log.get_by_text("不是咨询")).to_be_visible()


@pytest.mark.parametrize("number", range(3))
def test_another_view_comes_from_the_model_word_for_word_and_is_labelled(open_page, number):
    question, answer = MEMORISED[number]
    page = open_page()
    expect(page.get_by_role("button", name="写好了，发送")).to_be_enabled()
    ask(page, question)
    page.get_by_role("button", name="换一种说法看看").click()
    log = page.get_by_role("log")
    expect(log.get_by_text("由程序（AI）生成")).to_be_visible()
    model = log.get_by_role("article").last
    expect(model).to_contain_text(answer.split("。")[-2])
    assert answer in "".join(model.locator("p").all_inner_texts())


def test_a_reload_shows_the_same_conversation(open_page):
    page = open_page()
    ask(page, "和室友吵架了怎么办")
    page.get_by_role("log").get_by_role("article").nth(1).wait_for()
    page.reload()
    expect(page.get_by_role("log").get_by_text("和室友吵架了怎么办")).to_be_visible()


def test_danger_shows_the_help_card_first_and_nothing_is_generated(open_page):
    page = open_page()
    ask(page, "我不想活了，药已经准备好了，今晚就吃")
    card = page.get_by_role("region", name="现在就可以打的电话")
    expect(card).to_be_visible()
    expect(card.locator('a[href="tel:120"]')).to_be_visible()
    notice = page.get_by_role("article").last
    assert card.bounding_box()["y"] < notice.bounding_box()["y"], "the help card comes first"
    expect(page.get_by_text("现在没有人在看")).to_be_visible()
    assert "已经通知" not in page.locator("main").inner_text()
    expect(page.get_by_role("button", name="换一种说法看看")).to_have_count(0)


def test_quick_hide_leaves_at_once_and_back_does_not_return(open_page):
    page = open_page()
    ask(page, "考试前我特别紧张")
    page.get_by_role("button", name="离开").click()
    page.wait_for_url("about:blank")
    assert "考试" not in page.content()


def test_escape_twice_leaves_too(open_page):
    page = open_page()
    page.get_by_role("button", name="写好了，发送").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_url("about:blank")


def test_the_visitor_takes_everything_along_and_has_it_erased(open_page, site):
    secret = "只有我知道的一句话"
    page = open_page()
    ask(page, "我最近总是睡不好", secret)
    page.get_by_role("button", name="我的数据").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载我的数据").click()
    exported = download.value.path().read_text("utf-8")
    assert secret in json.dumps(json.loads(exported), ensure_ascii=False)
    page.get_by_role("button", name="删除我的数据").click()
    page.get_by_role("button", name="确定，全部删除").click()
    expect(page.get_by_text("已经全部删除")).to_be_visible()
    for path in (site.data / "casebook").iterdir():
        assert secret.encode() not in path.read_bytes(), path.name


def test_the_address_never_holds_words_or_secrets(open_page):
    page = open_page()
    seen = []
    page.on("request", lambda request: seen.append(request.url))
    ask(page, "考试前我特别紧张", "数学")
    page.get_by_role("log").get_by_role("article").nth(1).wait_for()
    secrets = [cookie["value"] for cookie in page.context.cookies()]
    assert secrets
    for url in [*seen, page.url]:
        assert "%E" not in url
        assert all(secret not in url for secret in secrets)


def test_whoever_would_rather_read_finds_short_texts_that_say_what_they_are(open_page):
    page = open_page()
    page.get_by_role("button", name="先看看短文").click()
    page.get_by_role("button", name="睡不着的夜里").click()
    expect(page.get_by_role("heading", name="睡不着的夜里")).to_be_focused()
    expect(page.get_by_text("事先写好的，还没有专业人员审过")).to_be_visible()
    assert axe(page) == []
    page.get_by_role("button", name="回到目录").last.click()
    expect(page.get_by_role("button", name="睡不着的夜里")).to_be_focused()
    assert axe(page) == []
