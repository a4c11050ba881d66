"""Pages of question-and-answer sites as tests need them: right shapes, words of our own, and every fault.

A `Thread` goes in, bytes of a page go out, by site, page and variant. The names, pictures and places that
real pages show of people are planted in every page, so that a test can look for them in what comes out.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import replace

from made_threads import (
    NAMES,
    PICTURE,
    PLACE,
    MadeAnswer,
    Thread,
    broken_lines,
    document,
    encoded,
    paragraphs,
    thread,
    wall,
)

ANSWERS_A_PAGE = 10


def page(
    site: str, number: int, page: int = 1, variant: str = "", *, answers: int = 3, base_url: str = ""
) -> bytes:
    """Return one page of a site's thread."""
    return PAGES[site](thread(number, answers), page, variant, base_url)


# ---- Yixinli ----


def yixinli_question(made: Thread, page: int = 1, variant: str = "", base_url: str = "") -> bytes:
    if (stands := wall(variant)) is not None:
        return stands
    shown = 1 if variant == "repeated_page" else page
    said = len(made.answers)
    answers = made.answers[(shown - 1) * ANSWERS_A_PAGE : shown * ANSWERS_A_PAGE]
    if variant == "empty_answers":
        answers = tuple(replace(one, text="") for one in answers)
    heading = (
        f"<h1>{html.escape(made.title)}</h1>"
        if variant != "older"
        else f"<span>{html.escape(made.title)}</span>"
    )
    if variant == "no_title":
        heading = ""
    tags = "".join(f"<li>{html.escape(tag)}</li>" for tag in made.tags)
    items = "".join(_yixinli_answer(one, variant) for one in answers)
    count = "" if variant == "no_count" else f"<strong>{said}个回答</strong>"
    answer_list = f"<ul class='{'old-list' if variant == 'older' else 'content-ans'}'>{items}</ul>"
    if variant == "no_answers_shown":
        answer_list = ""
    body = (
        f"<div id='main'><div class='title'>{heading}{count}</div>"
        f"<div class='ask-info'><img src='//{PICTURE}'><span class='username'>{made.name}</span>"
        f"<span class='created_time'>{made.written}</span><i>{PLACE}</i></div><div id='left'>"
        f"<div class='content'><p class='text'>{broken_lines(made.text)}</p></div>"
        f"<ul class='label detail-tag'>{tags}</ul>"
        f"<div id='answer-text' data-question-id='{made.number}'></div>{answer_list}"
        f"<div class='pagination'><a href='{base_url}/qa/{made.number}?page={page + 1}'>下一页</a></div>"
        "</div></div>"
    )
    return encoded(document("", body, made.title), variant)


def _yixinli_answer(one: MadeAnswer, variant: str) -> str:
    name = "" if variant == "missing_field" else f"<a class='username'>{one.name}</a><i>{PLACE}</i>"
    votes = "" if variant == "missing_field" else f"<a class='answer_zan'>有用 <font>{one.votes}</font></a>"
    number = "" if variant == "no_numbers" else f" data-answer-id='{one.number}'"
    return (
        f"<li><img class='avatar' src='//{PICTURE}'>{name}<div class='text'>{broken_lines(one.text)}"
        f"<img src='/face/1.gif' alt='微笑'></div>{votes}<span class='comment_num'>2</span>"
        f"<span class='created_time'>{one.written}</span><a class='report_reply'{number}>举报</a></li>"
    )


def yixinli_list(numbers: Sequence[int], page: int = 1, base_url: str = "") -> bytes:
    items = "".join(
        f"<li><p class='title'><a href='/user/{number}'><img src='//{PICTURE}'></a><span>"
        f"<a href='/qa/{number}?source=pc'>问题{number}</a></span></p><p>几句话</p></li>"
        for number in numbers
    )
    following = f"{base_url}/qa?page={page + 1}&amp;type=question&amp;object_name=last&amp;sort=id"
    body = f"<div id='left'><ul class='content'>{items}</ul><a href='{following}'>下一页</a></div>"
    return document("", body).encode()


def yixinli_mobile(made: Thread, one: MadeAnswer) -> bytes:
    body = (
        f"<a href='/qa/{made.number}'>查看问题</a><b>{one.name}</b><div class='ask_div_text'>"
        f"{broken_lines(one.text)}</div><div class='ask_div_text'>别的回答</div>"
    )
    return document("", body).encode()


ADVERTISEMENT = (
    "<p><a href='https://www.xinli001.com/course/991'>【好课】七天走出低谷</a></p><p>讲师带你一步一步学。</p>"
    "<p>原价 199 元，限时优惠 99元</p>"
)


def yixinli_article(made: Thread, _page: int = 1, variant: str = "", base_url: str = "") -> bytes:
    if (stands := wall(variant)) is not None:
        return stands
    body = (
        f"<div class='top'><h1 class='title'>{html.escape(made.title)}</h1>"
        f"<div class='info'><span>发表于 {made.written[:10]}</span><span>88赞</span></div>"
        f"<div class='first-tag'>{''.join(f'<a>{tag}</a>' for tag in made.tags)}</div>"
        f"<span class='author-name'>{made.name}</span></div>"
        f"<div class='yxl-editor-article '><h6>作者：{made.name} | 专栏作者</h6>{paragraphs(made.text)}"
        f"{'' if variant == 'plain' else ADVERTISEMENT}</div>"
    )
    return encoded(document("", body, made.title), variant)


# ---- Zhihu ----


def zhihu_question(made: Thread, _page: int = 1, variant: str = "", base_url: str = "") -> bytes:
    if (stands := wall(variant)) is not None:
        return stands
    if variant in {"markup", "older"}:
        return document("", _zhihu_markup(made, older=variant == "older"), made.title).encode()
    snake = variant == "snake_case"
    answers = {
        str(one.number): _zhihu_answer(made, one, snake=snake, variant=variant) for one in made.answers
    }
    other = _zhihu_answer(
        replace(made, number=made.number + 1), MadeAnswer(999999999, "别的问题下的回答"), snake=snake
    )
    question = {
        "id": made.number if snake else str(made.number),
        "title": "" if variant == "no_title" else made.title,
        "detail": paragraphs(made.text),
        "answerCount": len(answers),
        "created": made.epoch,
        "topics": [{"name": tag} for tag in made.tags],
        "author": {"name": made.name, "urlToken": "asker-token", "avatarUrl": PICTURE},
    }
    entities = {
        "questions": {str(made.number): question},
        "answers": {**answers, "999999999": other},
        "users": {},
    }
    content = {"initialState": {"entities": entities}}
    if variant == "broken_json":
        return document(_initial_data(content)[:-80], "", made.title).encode()
    body = f"<h1 class='QuestionHeader-title'>{html.escape(made.title)}</h1><a href='{base_url}/question/9'>相关</a>"
    return encoded(
        document(_initial_data(content), body if variant != "no_title" else "", made.title), variant
    )


def _initial_data(content: object) -> str:
    raw = json.dumps(content, ensure_ascii=False).replace("<", "\\u003C")
    return f'<script id="js-initialData" type="text/json">{raw}</script>'


def _zhihu_answer(
    made: Thread, one: MadeAnswer, *, snake: bool = False, variant: str = ""
) -> dict[str, object]:
    author = {"id": f"id-{one.name}", "name": one.name, "avatarUrl": PICTURE, "ipInfo": PLACE}
    times = {"created_time": one.epoch, "voteup_count": one.votes}
    if not snake:
        times = {"createdTime": one.epoch, "voteupCount": one.votes}
    item: dict[str, object] = {
        "id": one.number if snake else str(one.number),
        "content": ""
        if variant == "empty_answers"
        else f"{paragraphs(one.text)}<figure><img src='//{PICTURE}'></figure>",
        "author": {**author, "url_token" if snake else "urlToken": f"token-{one.number}"},
        "question": {"id": made.number if snake else str(made.number), "title": made.title},
        "ipInfo": PLACE,
    }
    if variant == "missing_field":
        del item["author"]
        return item
    if variant == "paid":
        item["answerType"] = "paid"
    return item | times


def _zhihu_markup(made: Thread, *, older: bool) -> str:
    if older:
        items = "".join(
            f"<div class='zm-item-answer' data-aid='{one.number}' itemprop='topAnswer'>"
            f"<a class='author-link' href='/people/token-{one.number}'>{one.name}</a>"
            f"<div class='zm-item-vote-info' data-votecount='{one.votes}'></div>"
            f"<div class='zm-editable-content'>{broken_lines(one.text)}</div>"
            f"<a class='answer-date-link' href='/question/1/answer/{one.number}'>发布于 {one.written[:10]}</a></div>"
            for one in made.answers
        )
        return (
            f"<h2 id='zh-question-title'>{html.escape(made.title)}</h2>"
            f"<div id='zh-question-detail'>{broken_lines(made.text)}</div>{items}"
        )
    items = "".join(
        f"<div class='ContentItem AnswerItem' name='{one.number}' itemprop='suggestedAnswer'>"
        f"<div class='AuthorInfo'><meta itemprop='name' content='{one.name}'><meta itemprop='url' "
        f"content='https://www.zhihu.com/people/token-{one.number}'></div>"
        f"<meta itemprop='upvoteCount' content='{one.votes}'>"
        f"<meta itemprop='dateCreated' content='2019-03-04T13:05:06.000Z'>"
        f"<div class='RichContent'><div class='RichContent-inner'>{paragraphs(one.text)}</div></div></div>"
        for one in made.answers
    )
    return (
        f"<div class='QuestionHeader'><h1 class='QuestionHeader-title'>{html.escape(made.title)}</h1>"
        f"<div class='QuestionRichText'>{paragraphs(made.text)}<button>显示全部</button></div></div>{items}"
    )


def zhihu_feed(made: Thread, offset: int = 0, limit: int = 5, variant: str = "") -> bytes:
    if variant in ZHIHU_ERRORS:
        return json.dumps({"error": ZHIHU_ERRORS[variant]}, ensure_ascii=False).encode()
    shown = made.answers[offset : offset + limit]
    following = (
        f"https://www.zhihu.com/api/v4/questions/{made.number}/feeds?limit={limit}&offset={offset + limit}"
    )
    content = {
        "data": [
            {"type": "question_feed_card", "target": _zhihu_answer(made, one, snake=True)} for one in shown
        ],
        "paging": {"is_end": offset + limit >= len(made.answers), "next": following},
    }
    return json.dumps(content, ensure_ascii=False).encode()


ZHIHU_ERRORS = {
    "captcha": {"code": 40362, "message": "您当前请求存在异常，暂时限制本次访问"},
    "login": {"name": "ZERR_NOT_LOGIN", "code": 100},
    "deleted": {"name": "NotFoundException", "code": 404},
}


def zhihu_article(made: Thread, _page: int = 1, variant: str = "", base_url: str = "") -> bytes:
    if (stands := wall(variant)) is not None:
        return stands
    item = {
        "id": made.number,
        "title": made.title,
        "content": paragraphs(made.text),
        "created": made.epoch,
        "author": {"name": made.name, "urlToken": "writer", "avatarUrl": PICTURE},
    }
    head = (
        ""
        if variant == "markup"
        else _initial_data({"initialState": {"entities": {"articles": {made.number: item}}}})
    )
    body = (
        f"<header class='Post-Header'><h1 class='Post-Title'>{html.escape(made.title)}</h1>"
        f"<a href='//www.zhihu.com/people/writer'>{made.name}</a></header>"
        f"<div class='Post-RichText'>{paragraphs(made.text)}</div>"
        f"<div class='ContentItem-time'>发布于 {made.written[:16]}・{PLACE}</div>"
    )
    return encoded(document(head, body, made.title), variant)


def zhihu_list(numbers: Sequence[int], base_url: str = "https://www.zhihu.com") -> bytes:
    items = "".join(f'<a href="{base_url}/question/{number}/answer/{number}1">问题</a>' for number in numbers)
    return document(
        "", f'{items}<a href="/people/x">{NAMES[0]}</a><a href="//zhuanlan.zhihu.com/p/77">文</a>'
    ).encode()


# ---- Tianya ----

POSTS_A_PAGE = 5


def tianya_post(made: Thread, page: int = 1, variant: str = "", base_url: str = "") -> bytes:
    """Answers by `made.name` are the poster's own later posts."""
    if (stands := wall(variant)) is not None:
        return stands
    posts = made.answers[(page - 1) * POSTS_A_PAGE : page * POSTS_A_PAGE]
    items = "".join(_tianya_item(one, variant) for one in posts)
    opening = (
        "<div class='atl-item host-item'><div class='atl-content'><div class='atl-con-bd clearfix'>"
        f"<div class='bbs-content clearfix'>　　{'<br>　　'.join(map(html.escape, made.text.split(chr(10))))}</div></div></div></div>"
    )
    last = page * POSTS_A_PAGE >= len(made.answers)
    following = (
        f"<a class='js-keyboard-next' href='{base_url}/post-feeling-{made.number}-{page + 1}.shtml'>下页</a>"
    )
    title = (
        ""
        if variant == "no_title"
        else f"<span class='s_title'><span>{html.escape(made.title)}</span></span>"
    )
    body = (
        f"<div id='post_head'>{title}<div class='atl-info'><span>楼主：<a uid='77' uname='{made.name}'>{made.name}</a></span> "
        f"<span>时间：{made.written}</span> <span>点击：100</span></div></div>"
        f"<div class='atl-main'>{opening if page == 1 else ''}{items}</div>{'' if last else following}"
    )
    return encoded(document("", body, made.title), variant)


def _tianya_item(one: MadeAnswer, variant: str) -> str:
    quoted = ""
    if variant == "quotations":
        quoted = f"　　@{NAMES[2]} 2楼 2012-05-24 21:52:48<br>　　别人说过的话<br>　　{'-' * 29}<br>"
    remarks = (
        f"<div class='item-reply-view'><ul><li _username='{NAMES[2]}'><span class='ir-content'>楼下的短话</span></li></ul></div>"
        if variant == "remarks"
        else ""
    )
    return (
        f"<div class='atl-item' _host='{one.name}' _hostid='{one.number % 7}' js_username='{one.name}' "
        f"js_resTime='{one.written}' id='{one.number}' replyid='{one.number}'>"
        f"<div class='atl-head'><img src='//{PICTURE}'>作者：{one.name} 时间：{one.written}</div>"
        f"<div class='bbs-content'>{quoted}　　{'<br>　　'.join(map(html.escape, one.text.split(chr(10))))}</div>{remarks}</div>"
    )


def tianya_list(numbers: Sequence[int]) -> bytes:
    rows = "".join(
        f"<tr><td class='td-title faceblue'><a href='/post-feeling-{number}-1.shtml'>帖子</a></td><td>{NAMES[0]}</td></tr>"
        for number in numbers
    )
    paging = "<div class='short-pages-2'><a href='/list-feeling-2.shtml'>下一页</a></div>"
    return document("", f"<table>{rows}</table>{paging}").encode()


# ---- any other site ----


def other_article(made: Thread, _page: int = 1, variant: str = "", base_url: str = "") -> bytes:
    if (stands := wall(variant)) is not None:
        return stands
    head = "<meta name='robots' content='noindex, nofollow'>" if variant == "noindex" else ""
    body = (
        f"<main><article><h1>{html.escape(made.title)}</h1>{paragraphs(made.text)}</article></main>"
        f"<a href='{base_url}/other-{made.number + 1}.html'>下一篇</a><a href='{base_url}/sheet.pdf'>表</a>"
        "<a href='https://elsewhere.example/x'>外面</a><a rel='nofollow' href='/hidden.html'>不要跟</a>"
    )
    return encoded(document(head, body, made.title), variant)


PAGES = {
    "yixinli": yixinli_question,
    "yixinli_article": yixinli_article,
    "zhihu": zhihu_question,
    "zhihu_article": zhihu_article,
    "tianya": tianya_post,
    "other": other_article,
}


def url_of(site: str, number: int, page: int = 1) -> str:
    """Return where a page of `page()` would stand on the real site."""
    return {
        "yixinli": f"https://www.xinli001.com/qa/{number}" + (f"?page={page}" if page > 1 else ""),
        "yixinli_article": f"https://www.xinli001.com/info/{number}",
        "zhihu": f"https://www.zhihu.com/question/{number}",
        "zhihu_article": f"https://zhuanlan.zhihu.com/p/{number}",
        "tianya": f"http://bbs.tianya.cn/post-feeling-{number}-{page}.shtml",
        "other": f"https://clinic.example/other-{number}.html",
    }[site]
