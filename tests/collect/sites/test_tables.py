import tomllib
from pathlib import Path

import pytest

from psyllm.collect.sites import walls as walls_module
from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.trimming import SOLD, rows, without_advertisement, without_quotation
from psyllm.collect.sites.walls import interface_words, may_be_wall, wall_in, wall_of, walls


@pytest.mark.parametrize("wall", walls(), ids=lambda wall: wall.name)
def test_a_wall_takes_its_text_and_leaves_its_other(wall):
    assert wall.pattern.search(wall.takes)
    assert not wall.pattern.search(wall.leaves)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_trimming_row_takes_its_line_and_leaves_its_other(row):
    assert row.pattern.match(row.takes)
    assert not row.pattern.match(row.leaves)


@pytest.mark.parametrize("wall", [wall for wall in walls() if wall.on != "url"], ids=lambda wall: wall.name)
def test_an_anchor_stands_in_whatever_a_wall_matches(wall):
    choices = [wall.takes, *SAID.get(wall.name, ())]
    for said in choices:
        found = wall.pattern.search(said)
        assert any(anchor in found.group().lower().encode() for anchor in wall.anchors), said


def test_a_page_of_no_known_wall_is_changed_markup():
    assert wall_of(Page("https://a.example/", b"<p>hello</p>")) == "changed"


def test_an_advertisement_at_the_top_is_left_to_the_cleaning():
    assert without_advertisement(f"{SOLD}点这里\n{'正文。' * 40}") == (f"点这里\n{'正文。' * 40}", False)


def test_a_post_that_only_begins_with_a_date_is_not_cut():
    post = "2012-05-24 21:52 他走了，我一夜没睡"
    assert without_quotation(post) == (post, False)
    assert without_quotation("作者：某 回复日期：2010-1-2 12:00:00\n你好") == ("你好", True)


def test_words_of_the_interface_take_their_text_and_leave_the_other():
    row = tomllib.loads((Path(walls_module.__file__).parent / "walls.toml").read_text("utf-8"))["interface"]
    assert interface_words().sub("", row["takes"]).strip() == ""
    assert interface_words().sub("", row["leaves"]) == row["leaves"]


# Each way that a wall's pattern may match, where there are several.
SAID = {
    "aliyun_waf": ["var arg1 ="],
    "waf_named": [
        "<title>安全验证", "<title>访问被阻断", "<TITLE>Just a moment", "<title>Attention Required", "errors.aliyun.com",
    ],
    "waf_says": ["您的访问被阻断", "访问过于频繁稍后", "请求太频繁，请稍后再试"],
    "zhihu_unusual_requests": ["您当前请求存在异常", "Unhuman-tip", "系统检测到您的网络环境存在异常"],
    "captcha": ["<title>请输入验证码", 'ID="captcha-1"', ' id="geetest"', ' id="nc_1_wrapper"', "请进行人机验证", "请完成安全验证"],
    "zhihu_login": ['"name": "AuthenticationInvalid'],
    "login_says": ["需要登录", "请登陆"],
    "overload_named": [
        "<title>502", "<title>504", "<title>Service Unavailable", "<title>Bad Gateway", "<title>服务器繁忙",
        "<title>服务器开小差", "503-error.html",
    ],
    "taken_down": [f"{what}不存在" for what in ("问题", "回答", "答案", "文章", "帖子", "主题", "内容", "页面", "贴子")],
    "zhihu_not_found": ["没有知识存在的荒原", '"name":"ResourceNotFound', '"message":"资源不存在'],
    "not_found_named": ["<title>Not Found", "<title>页面不存在", "<title>出错了"],
}  # fmt: skip
PASSWORD = Page("https://a.example/", b"<form><input type=password></form>")


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("请先登录后查看", "login"),
        ("首页\n用户登录\n用户名\n密码\n没有账号？立即注册\n忘记密码", "login"),
        ("很抱歉，由于您访问的URL有可能对网站造成安全威胁，您的访问被阻断。", "waf"),
        ("您当前请求存在异常，暂时限制本次访问", "captcha"),
        ("抱歉，指定的主题不存在或已被删除或正在被审核", "deleted"),
        ("帖子已被删除，想死", ""),
        ("对不起", ""),
        ("😭", ""),
        ("我登录了三次，没有人回我", ""),
    ],
)
def test_a_short_text_is_a_wall_only_when_no_word_is_a_persons(text, stop):
    assert wall_in(text, PASSWORD) == stop


def test_a_page_without_any_mark_is_no_wall():
    assert may_be_wall(PASSWORD)
    assert may_be_wall(Page("https://a.example/", "<p>请先登录后查看</p>".encode("gbk")))
    assert not may_be_wall(Page("https://a.example/", "<p>睡不着</p>".encode()))
