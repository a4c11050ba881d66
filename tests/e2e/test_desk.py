"""A counsellor takes over: what both sides see."""

from playwright.sync_api import expect

from journeys import DESKTOP, ask, sign_in


def open_first_case(desk):
    desk.get_by_role("list", name="个案").get_by_role("link").first.click()
    desk.get_by_role("button", name="接手这个个案").wait_for()


def test_a_counsellor_takes_a_case_answers_and_closes_it(open_page):
    visitor = open_page()
    ask(visitor, "我想结束自己的生命", "已经写好了遗书，今晚就走")
    desk = open_page("/desk", DESKTOP)
    sign_in(desk)
    open_first_case(desk)
    expect(desk.get_by_text("已经写好了遗书，今晚就走")).to_be_visible()
    desk.get_by_role("button", name="接手这个个案").click()
    expect(visitor.get_by_text("辅导员已经接手")).to_be_visible()
    expect(visitor.get_by_role("button", name="换一种说法看看")).to_have_count(0)

    desk.get_by_role("textbox", name="回复来访者").fill("我在这里。你现在身边有人吗？")
    desk.get_by_role("button", name="发出回复").click()
    expect(visitor.get_by_text("我在这里。你现在身边有人吗？")).to_be_visible()

    visitor.get_by_role("textbox", name="接着说").fill("室友在隔壁")
    visitor.get_by_role("button", name="发送", exact=True).click()
    expect(desk.get_by_text("室友在隔壁")).to_be_visible()
    assert visitor.get_by_text("找到的回答").count() == 0, (
        "the program stays silent while a person owns the chat"
    )

    desk.get_by_role("button", name="结束这个个案").click()
    desk.get_by_role("button", name="确定结束").click()
    expect(desk.get_by_text("先选一个原因。")).to_be_visible()
    desk.get_by_label("已移交急救或警方").check(force=True)
    desk.wait_for_timeout(3_000)  # a case isn't closed over words that nobody can have read
    desk.get_by_role("button", name="确定结束").click()
    expect(desk.get_by_text("这个个案已经结束。")).to_be_visible()
    desk.get_by_role("button", name="退出").click()
    expect(desk.get_by_role("button", name="登录")).to_be_visible()


def take_and_draft(open_page, draft):
    """Return the visitor's page and the desk's, on which the visitor's case is taken and a draft begun."""
    visitor = open_page()
    ask(visitor, "我不想活了，药已经准备好了")
    desk = open_page("/desk", DESKTOP)
    sign_in(desk)
    open_first_case(desk)
    desk.get_by_role("button", name="接手这个个案").click()
    desk.get_by_role("textbox", name="回复来访者").fill(draft)
    return visitor, desk


def say(visitor, words):
    """Send the visitor's words and wait until the server has them."""
    visitor.get_by_role("textbox", name="接着说").fill(words)
    with visitor.expect_response("**/messages"):
        visitor.get_by_role("button", name="发送", exact=True).click()


def test_a_draft_survives_when_the_visitor_writes_meanwhile(open_page):
    visitor, desk = take_and_draft(open_page, "先把药交给别人，好吗？")
    # Until the reply has gone out the desk looks in vain, so it can't have seen the new words.
    gone = []
    desk.on("request", lambda request: gone.append(request) if request.method == "POST" else None)
    desk.route("**/api/staff/cases/*", lambda route: route.continue_() if gone else route.abort())
    say(visitor, "我把药倒掉了")
    desk.get_by_role("button", name="发出回复").click()
    expect(desk.get_by_text("没有发出。")).to_be_visible()
    expect(desk.get_by_role("textbox", name="回复来访者")).to_have_value("先把药交给别人，好吗？")
    expect(desk.get_by_text("我把药倒掉了")).to_be_visible()
    expect(desk.get_by_text("可以直接按“发出回复”")).to_be_visible()
    desk.get_by_role("button", name="发出回复").click()
    expect(visitor.get_by_text("先把药交给别人，好吗？")).to_be_visible()


def test_a_draft_goes_out_at_once_when_the_new_words_have_been_read(open_page):
    visitor, desk = take_and_draft(open_page, "现在家里有谁？")
    say(visitor, "我一个人在家")
    expect(desk.get_by_text("来访者刚刚又写了新的话")).to_be_visible()
    expect(desk.get_by_text("可以直接按“发出回复”")).to_be_visible()
    desk.get_by_role("button", name="发出回复").click()
    expect(visitor.get_by_text("现在家里有谁？")).to_be_visible()
    assert desk.get_by_text("没有发出").count() == 0


def test_the_page_says_whether_somebody_is_reading(open_page, browser, site):
    desk = open_page("/desk", DESKTOP)
    sign_in(desk)
    visitor = open_page()
    expect(visitor.get_by_text("现在有辅导员在线。")).to_be_visible()


def test_asking_for_a_person_opens_a_case(open_page):
    visitor = open_page()
    ask(visitor, "和室友吵架了怎么办")
    visitor.get_by_role("log").get_by_role("article").nth(1).wait_for()
    visitor.wait_for_load_state("networkidle")
    visitor.get_by_role("button", name="我想和人说话").click()
    expect(visitor.get_by_text("辅导员的待看列表")).to_be_visible()
    desk = open_page("/desk", DESKTOP)
    sign_in(desk)
    expect(desk.get_by_role("list", name="个案").get_by_role("link").first).to_be_visible()


def test_a_wrong_password_is_told_calmly(open_page):
    desk = open_page("/desk", DESKTOP)
    desk.get_by_label("姓名").fill("li")
    desk.get_by_label("密码").fill("not the password")
    desk.get_by_role("button", name="登录").click()
    expect(desk.get_by_text("姓名或密码不对")).to_be_visible()
