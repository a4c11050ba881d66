"""Questions, answers and what stands around them, as `site_pages` puts them on pages; words of our own."""

from __future__ import annotations

import html
from dataclasses import dataclass

import hypothesis.strategies as st

NAMES = ("夜航的小船", "山顶一棵松", "MaiMai_2009")
PICTURE = "pic.example/avatar-77aa.jpg"
PLACE = "IP属地江苏"
PLANTED = (*NAMES, PICTURE, PLACE, "avatar", "IP属地")

QUESTIONS = (
    ("总是半夜三点醒来，再也睡不着", "白天上班没有力气。\n试过数羊，也试过不看手机，都没有用。"),
    ("和妈妈一说话就吵架，怎么办", "她打电话来我就心跳加快。\n可是不接，又觉得对不起她。"),
    ("换了城市以后一个朋友也没有", "周末常常一整天不说一句话。"),
)
ANSWERS = (
    "听起来你已经撑了很久。\n先别逼自己睡着，起来坐一会儿，等困了再回床上。",
    "我也有过这样的一年。\n后来每天傍晚走四十分钟，慢慢好了一些。",
    "能把这些写下来，已经是在照顾自己了。\n如果两个星期都没有好转，去医院的睡眠门诊问一问。",
)


# What a browser shows as it was written: no runs of spaces, no account names.
LINE = (
    st.text(st.sampled_from("我你难过睡不着，。！？：“”…（）0123abc<>&\"'/;=-#·　"), min_size=1, max_size=40)
    .map(str.strip)
    .filter(bool)
)
TEXT = st.lists(LINE, min_size=1, max_size=4).map("\n".join)


@dataclass(frozen=True)
class MadeAnswer:
    """An answer; `written` is the site's local time."""

    number: int
    text: str
    name: str = NAMES[1]
    votes: int = 3
    written: str = "2019-03-04 21:05:06"
    epoch: int = 1551704706  # the same moment


@dataclass(frozen=True)
class Thread:
    """A question with its answers, or an article (its text)."""

    number: int
    title: str
    text: str
    answers: tuple[MadeAnswer, ...] = ()
    name: str = NAMES[0]
    tags: tuple[str, ...] = ("睡眠", "情绪")
    written: str = "2019-03-03 08:00:00"
    epoch: int = 1551571200


def thread(number: int, answers: int = 3) -> Thread:
    """Return a thread that depends on its number alone."""
    title, text = QUESTIONS[number % len(QUESTIONS)]
    made = tuple(
        MadeAnswer(number * 1000 + index, f"{ANSWERS[index % len(ANSWERS)]}\n第{index + 1}条", votes=index)
        for index in range(answers)
    )
    return Thread(number, f"{title}（{number}）", text, made)


def paragraphs(text: str) -> str:
    return "".join(f"<p>{html.escape(line)}</p>" for line in text.split("\n"))


def broken_lines(text: str) -> str:
    return "<br>".join(html.escape(line) for line in text.split("\n"))


def encoded(markup: str, variant: str) -> bytes:
    """Return a page's bytes; variants name charsets, true and untrue."""
    if variant == "gbk":
        return markup.replace("utf-8", "gbk", 1).encode("gb18030")
    if variant == "gbk_declared_utf8":
        return markup.encode("gb18030")
    if variant == "utf8_declared_gb2312":
        return markup.replace("utf-8", "gb2312", 1).encode()
    return markup.encode()


def document(head: str, body: str, title: str = "一个网页") -> str:
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{html.escape(title)}</title>{head}</head>'
        f"<body><script>var a = '<p>不是正文</p>'</script><nav><a href='/about'>关于我们</a></nav>\n{body}\n"
        "<footer>版权所有</footer></body></html>"
    )


def wall(variant: str) -> bytes | None:
    """Return a page that stands in the place of what was asked for."""
    walls = {
        "waf": "<html><script>var arg1='3A0F9C';function r(){document.cookie='acw_sc__v2='+arg1}</script></html>",
        "captcha": "<html><body><p class='Unhuman-tip'>请完成人机验证</p></body></html>",
        "login": "<html><title>请登录</title><form><input name='u'><input type='password' name='p'></form></html>",
        "overload": "<html><title>503 Service Temporarily Unavailable</title></html>",
        "deleted": "<html><title>提示</title><body><p>该问题已被删除</p></body></html>",
        "redesigned": document("", "<main><h2 class='x1'>新的页面</h2><div class='y2'>一段话</div></main>"),
        "nothing": "",
    }
    return walls[variant].encode() if variant in walls else None
