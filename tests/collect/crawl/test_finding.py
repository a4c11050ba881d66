from datetime import date

import pytest

from crawl_site import listing, question
from psyllm.collect.crawl import finding
from psyllm.collect.crawl.finding import Finder, Reader
from psyllm.collect.crawl.permission import Permission, Scope
from psyllm.collect.sites.contract import Page

COPY, OTHER = "127.0.0.1:8001", "site.example"


@pytest.fixture
def permission():
    return Permission(
        id="test-1",
        source="test",
        basis="a site of our own",
        contact="crawler@psyllm.example",
        expires=date(2999, 1, 1),
        document="consent.txt",
        document_sha256="0" * 64,
        licence="CC0-1.0",
        may_train=True,
        may_show=False,
        delay_s=0,
        starts=(f"http://{COPY}/qa",),
        scope=(
            Scope(hosts=(COPY,), paths=("/qa",), site="yixinli"),
            Scope(hosts=(OTHER,), paths=("/",)),
        ),
    )


def finder(permission, most_depth=5):
    return Finder(Reader(permission), permission.covers, most_depth)


def html(*links):
    body = "".join(f"<a href='{link}'>x</a>" for link in links)
    return Page(f"http://{OTHER}/a", f"<html><body>{body}</body></html>".encode(), "text/html")


def test_a_copy_of_a_known_site_is_read_as_that_site(permission):
    reader = Reader(permission)
    assert reader(f"http://{COPY}/qa/1").name == "yixinli"
    assert reader(f"http://{OTHER}/qa/1").name == "generic"
    assert reader("https://www.zhihu.com/question/1").name == "zhihu"


def test_a_list_leads_to_its_questions_and_to_its_next_page_without_growing_deeper(permission):
    page = Page(f"http://{COPY}/qa?page=1", listing(1, {"questions": 30}), "text/html")
    found = {ask.url.removeprefix(f"http://{COPY}"): ask for ask in finder(permission).found(page, 3)}
    assert found["/qa?page=2"].depth == 3
    assert found["/qa/3"].depth == 4
    assert found["/qa/3"].kind == "question"
    assert len(found) == 21, "nothing private, nothing elsewhere, nothing twice"


def test_on_an_unknown_site_every_step_is_deeper_and_the_deepest_is_the_last(permission):
    one = finder(permission, most_depth=4)
    assert [ask.depth for ask in one.found(html("/b"), 3)] == [4]
    assert one.found(html("/c"), 4) == ()


def test_what_the_frontier_holds_is_not_asked_for_again(permission):
    one = finder(permission)
    first = one.found(html("/b", "/c"), 0)
    assert one.found(html("/b"), 0) != ()
    one.acknowledged(first)
    assert [ask.url for ask in one.found(html("/b", "/d"), 0)] == [f"http://{OTHER}/d"]


def test_a_list_whose_parameters_multiply_is_asked_for_in_part(permission, monkeypatch):
    monkeypatch.setattr(finding, "MOST_QUERIES", 3)
    links = [f"/list?order={order}&tag={tag}" for order in range(4) for tag in range(4)]
    assert len(finder(permission).found(html(*links), 0)) == 3


def test_a_short_page_of_a_known_site_with_nothing_to_read_is_a_wall(permission):
    one = finder(permission)
    url = f"http://{COPY}/qa/7"
    login = b"<html><form><input type='password' name='p'></form></html>"
    assert one.wall(Page(url, login, "text/html")) == "login"
    assert one.wall(Page(url, question(7, 1, {}), "text/html")) == ""


UNKNOWN_WALLS = {
    "login": "<html><title>登录</title><form><p>请先登录后查看</p><input type='password'></form></html>",
    "captcha": "<html><body>您当前请求存在异常，暂时限制本次访问</body></html>",
    "waf": "<html><body><p>很抱歉，由于您访问的URL有可能对网站造成安全威胁，您的访问被阻断。</p></body></html>",
}
CRY = (
    "<html><title>求助</title><form><input type='password'></form>"
    "<article><p>昨晚写好了遗书，请先登录后查看。</p></article></html>"
)


@pytest.mark.parametrize("wall", UNKNOWN_WALLS)
def test_an_unknown_host_is_left_after_three_walls_in_a_row(permission, wall):
    reader = Reader(permission)
    one = Finder(reader, permission.covers, 5)
    pages = [UNKNOWN_WALLS[wall]] * 2 + ["<html><p>一页</p></html>"] + [UNKNOWN_WALLS[wall]] * 3
    found = [one.wall(Page(f"http://{OTHER}/{place}", page.encode())) for place, page in enumerate(pages)]
    reader.close()
    assert found == ["", "", "", "", "", wall]


@pytest.mark.parametrize(
    ("answers", "asked"), [("W" * 25, 3), ("GWW" * 8, 9), ("GW" * 12, 24)], ids=["all", "two_thirds", "half"]
)
@pytest.mark.parametrize(("host", "path"), [(OTHER, ""), (COPY, "qa/")], ids=["unknown", "known"])
def test_a_wall_may_be_as_long_as_a_page_and_let_some_requests_pass(permission, answers, asked, host, path):
    reader = Reader(permission)
    one = Finder(reader, permission.covers, 5)
    padding = f"<!-- {'x' * 14_000} -->"
    bodies = {"W": UNKNOWN_WALLS["login"].encode() + padding.encode(), "G": question(7, 1, {})}
    for count, answer in enumerate(answers, 1):
        if one.wall(Page(f"http://{host}/{path}{count}", bodies[answer] + padding.encode(), "text/html")):
            break
    reader.close()
    assert count == asked


def test_a_forum_with_a_login_box_and_short_posts_is_no_wall(permission):
    reader = Reader(permission)
    one = Finder(reader, permission.covers, 5)
    found = {one.wall(Page(f"http://{OTHER}/{place}", CRY.encode())) for place in range(6)}
    reader.close()
    assert found == {""}
