import json

import hypothesis
import hypothesis.strategies as st
import pytest

import made_threads as threads
import site_pages as made
from made_threads import TEXT
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.zhihu import Zhihu

AUTHORS = Authors(b"k" * 32)
SITE = Zhihu()
FETCHED = "2020-01-02T03:04:05Z"


def read(body, url="https://www.zhihu.com/question/5"):
    return SITE.read(Page(url, body, "text/html; charset=utf-8", FETCHED), AUTHORS)


def only_draft(thread, readings):
    drafts = list(SITE.assemble(thread, readings))
    assert len(drafts) == 1
    return drafts[0]


@hypothesis.given(
    TEXT, TEXT, st.lists(TEXT, max_size=6), st.sampled_from(["", "snake_case", "markup", "older", "gbk"])
)
def test_what_was_written_comes_out_of_every_shape(title, text, answers, variant):
    title = " ".join(title.split())
    thread = threads.Thread(
        5, title, text, tuple(threads.MadeAnswer(100 + place, words) for place, words in enumerate(answers))
    )
    reading = read(made.zhihu_question(thread, 1, variant))
    assert reading.stop == ""
    draft = only_draft("question-5", [reading])
    assert (draft.title, draft.text) == (title, text)
    assert [answer.text for answer in draft.answers] == answers


@pytest.mark.parametrize("variant", ["", "snake_case", "markup", "older"])
def test_every_shape_gives_the_same_keys_votes_and_authors(variant):
    thread = threads.thread(5)
    pieces = read(made.zhihu_question(thread, 1, variant)).pieces
    answers = [piece for piece in pieces if piece.kind == "answer"]
    assert [piece.key for piece in answers] == [f"answer-{one.number}" for one in thread.answers]
    assert [piece.votes for piece in answers] == [one.votes for one in thread.answers]
    assert [piece.author_hash for piece in answers] == [
        AUTHORS.hash("zhihu", f"token-{one.number}") for one in thread.answers
    ]
    day = {"older": "2019-03-04"}.get(variant, "2019-03-04T13:05:06Z")
    assert {piece.written_at for piece in answers} == {day}


def test_the_json_has_tags_times_and_addresses_of_single_answers():
    pieces = read(made.page("zhihu", 5)).pieces
    assert pieces[0].keywords == ("睡眠", "情绪")
    assert pieces[0].written_at == "2019-03-03T00:00:00Z"
    assert pieces[1].url == "https://www.zhihu.com/question/5/answer/5000"


def test_json_that_breaks_off_leaves_the_markup_and_is_told_when_that_has_nothing():
    assert read(made.page("zhihu", 5, variant="broken_json")).stop == "changed"


@pytest.mark.parametrize(
    ("variant", "stop"),
    [
        ("waf", "waf"),
        ("captcha", "captcha"),
        ("login", "login"),
        ("overload", "overload"),
        ("redesigned", "changed"),
        ("nothing", "changed"),
    ],
)
def test_a_page_that_holds_nothing_says_why(variant, stop):
    reading = read(made.page("zhihu", 5, variant=variant))
    assert (reading.stop, reading.pieces) == (stop, ())


def test_a_login_address_is_a_login_whatever_the_page_says():
    url = "https://www.zhihu.com/signin?next=%2Fquestion%2F5"
    assert SITE.kind_of(url) == "other"
    assert read(b"<html></html>", url).stop == ""  # no thread's page: the crawler judges where it was sent


@pytest.mark.parametrize("stop", ["captcha", "login", "deleted"])
def test_error_bodies_of_the_feed_are_stops(stop):
    url = "https://www.zhihu.com/api/v4/questions/5/feeds?limit=5&offset=0"
    assert read(made.zhihu_feed(threads.thread(5), variant=stop), url).stop == stop


def test_missing_title_is_changed_markup_and_the_answers_stay():
    reading = read(made.page("zhihu", 5, variant="no_title"))
    assert reading.stop == "changed"
    assert len(reading.pieces) == 3


def test_paid_and_empty_answers_are_left_out_and_counted():
    assert read(made.page("zhihu", 5, variant="paid")).left_out == ("answer_is_paid",) * 3
    assert read(made.page("zhihu", 5, variant="empty_answers")).left_out == ("answer_is_empty",) * 3


def test_missing_fields_are_empty_fields():
    answers = only_draft("question-5", [read(made.page("zhihu", 5, variant="missing_field"))]).answers
    assert {(one.author_hash, one.votes, one.written_at) for one in answers} == {("", None, "")}


def test_a_page_and_its_feed_make_one_question_without_doubles():
    thread = threads.thread(5, 12)
    first = made.zhihu_question(threads.Thread(5, thread.title, thread.text, thread.answers[:5]))
    readings = [read(first)]
    for offset in (10, 0, 5):
        url = f"https://www.zhihu.com/api/v4/questions/5/feeds?limit=5&offset={offset}"
        readings.append(read(made.zhihu_feed(thread, offset), url))
    draft = only_draft("question-5", readings)
    assert [answer.text for answer in draft.answers] == [one.text for one in thread.answers]


def test_the_feed_is_followed_only_where_it_is_allowed_and_only_forwards():
    asked = Page(made.url_of("zhihu", 5), made.page("zhihu", 5))
    assert SITE.links(asked) == ()
    site = Zhihu(base_url="http://127.0.0.1:8123", feeds=True)
    (first,) = site.links(Page("http://127.0.0.1:8123/question/5", made.page("zhihu", 5)))
    assert first.url.startswith("http://127.0.0.1:8123/api/v4/questions/5/feeds?")
    (second,) = site.links(Page(first.url, made.zhihu_feed(threads.thread(5, 12), 0)))
    assert second.url == "http://127.0.0.1:8123/api/v4/questions/5/feeds?limit=5&offset=5"
    (third,) = site.links(Page(second.url, made.zhihu_feed(threads.thread(5, 12), 5)))
    assert site.links(Page(third.url, made.zhihu_feed(threads.thread(5, 12), 10))) == ()
    assert site.links(Page(third.url, made.zhihu_feed(threads.thread(5, 12), 0))) == ()


def test_an_empty_last_page_of_the_feed_is_no_fault():
    url = "https://www.zhihu.com/api/v4/questions/5/feeds?limit=5&offset=15"
    assert read(made.zhihu_feed(threads.thread(5), 15), url) == (((), (), "", 5, ()))


def test_an_answer_that_was_taken_down_is_not_taken_from_an_earlier_copy():
    gone = read(b"<p>\xe8\xaf\xa5\xe5\x9b\x9e\xe7\xad\x94\xe5\xb7\xb2\xe8\xa2\xab\xe5\x88\xa0\xe9\x99\xa4</p>",
                "https://www.zhihu.com/question/5/answer/5001")  # fmt: skip
    assert gone.stop == "deleted"
    draft = only_draft("question-5", [read(made.page("zhihu", 5)), gone])
    assert len(draft.answers) == 2
    whole = read(made.page("zhihu", 5, variant="deleted"))
    assert list(SITE.assemble("question-5", [read(made.page("zhihu", 5)), whole])) == []


@pytest.mark.parametrize("variant", ["", "markup"])
def test_articles_are_documents(variant):
    thread = threads.Thread(9, "写给睡不着的人", "第一段。\n第二段。")
    reading = read(made.zhihu_article(thread, variant=variant), made.url_of("zhihu_article", 9))
    draft = only_draft("article-9", [reading])
    assert (draft.kind, draft.title, draft.text) == ("document", thread.title, thread.text)
    assert draft.author_hash == AUTHORS.hash("zhihu", "writer")
    assert draft.written_at == "2019-03-03T00:00:00Z"


def test_lists_give_questions_for_answers_and_no_people():
    page = Page("https://www.zhihu.com/topic/1/hot", made.zhihu_list([5, 6]))
    assert [link.url for link in SITE.links(page)] == [
        "https://www.zhihu.com/question/5",
        "https://www.zhihu.com/question/6",
        "https://zhuanlan.zhihu.com/p/77",
    ]


@pytest.mark.parametrize("junk", [None, [], 3, "x", {"a": [1]}])
@pytest.mark.parametrize("depth", range(5))
def test_json_of_any_shape_is_never_an_exception(junk, depth):
    content = junk
    for name in ("content", "5", "answers", "entities", "initialState")[5 - depth :]:
        content = {name: content}
    body = threads.document(made._initial_data(content), "").encode()
    assert read(body).stop == "changed"
    url = "https://www.zhihu.com/api/v4/questions/5/feeds?limit=5&offset=0"
    assert read(json.dumps({"data": content, "paging": junk}).encode(), url).pieces == ()
    Zhihu(feeds=True).links(
        Page(url, json.dumps({"data": content, "paging": {"is_end": False, "next": junk}}).encode())
    )


def test_mentions_of_others_go():
    text = (
        "<p>谢谢<a class='member_mention' href='/people/x'>@山顶 一棵松</a>的回答</p><p>@夜航的小船：你好</p>"
    )
    body = made._zhihu_answer(threads.thread(5), threads.MadeAnswer(1, "")) | {"content": text}
    feed = {"data": [{"target": body}], "paging": {"is_end": True}}
    (piece,) = read(
        json.dumps(feed).encode(), "https://www.zhihu.com/api/v4/questions/5/feeds?offset=0"
    ).pieces[1:]
    assert piece.text == "谢谢的回答\n：你好"


@pytest.mark.parametrize("half", [r"\ud83d", r"\uDE0A", r"\ud83d\ud83d"])
def test_half_an_emoji_costs_a_character_and_no_thread(half):
    words = rf"抱抱你。\\ud83d {half} \ud83d\ude0a"
    answer = {"id": 9, "content": "WORDS", "excerpt": "WORDS", "question": {"id": 5}}
    question = {"id": 5, "title": "睡不着怎么办"}
    state = {"initialState": {"entities": {"questions": {"5": question}, "answers": {"9": answer}}}}
    held = json.dumps(state).replace("WORDS", words)
    body = f'<html><body><script id="js-initialData" type="text/json">{held}</script></body></html>'
    draft = only_draft("question-5", [read(body.encode())])
    damaged = "\ufffd" * (len(half) // 6)
    assert [one.text for one in draft.answers] == [rf"抱抱你。\ud83d {damaged} 😊"]
    assert draft.flags == ("damaged_text",)


def test_half_an_emoji_in_a_feed_costs_a_character_and_no_answer():
    feed = r'{"data":[{"target":{"id":9,"content":"抱抱你\ud83d","question":{"id":5}}}],"paging":{"is_end":true}}'
    (piece,) = read(feed.encode(), "https://www.zhihu.com/api/v4/questions/5/feeds?offset=0").pieces
    assert piece.text == "抱抱你\ufffd"
