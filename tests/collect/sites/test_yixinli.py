import hypothesis
import hypothesis.strategies as st
import pytest

import made_threads as threads
import site_pages as made
from made_threads import TEXT
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.yixinli import Yixinli

AUTHORS = Authors(b"k" * 32)
SITE = Yixinli()
FETCHED = "2020-01-02T03:04:05Z"


def read(number, page=1, variant="", **options):
    body = made.page("yixinli", number, page, variant, **options)
    return SITE.read(Page(made.url_of("yixinli", number, page), body, "text/html", FETCHED), AUTHORS)


def only_draft(thread, readings):
    drafts = list(SITE.assemble(thread, readings))
    assert len(drafts) == 1
    return drafts[0]


@hypothesis.given(
    TEXT, TEXT, st.lists(TEXT, max_size=12), st.sampled_from(["", "older", "gbk", "gbk_declared_utf8"])
)
def test_what_was_written_comes_out(title, text, answers, variant):
    title = " ".join(title.split())
    thread = threads.Thread(
        7, title, text, tuple(threads.MadeAnswer(index, words) for index, words in enumerate(answers))
    )
    pages = range(1, len(answers) // made.ANSWERS_A_PAGE + 2)
    readings = []
    for page in pages:
        body = made.yixinli_question(thread, page, variant)
        readings.append(SITE.read(Page(made.url_of("yixinli", 7, page), body, "text/html", FETCHED), AUTHORS))
    assert [reading.stop for reading in readings] == [""] * len(readings)
    draft = only_draft("question-7", readings)
    assert (draft.title, draft.text) == (title, text)
    assert [answer.text for answer in draft.answers] == answers


def test_a_question_has_its_tags_times_votes_and_keyed_authors():
    draft = only_draft("question-5", [read(5)])
    assert draft.keywords == ("睡眠", "情绪")
    assert draft.written_at == "2019-03-03T00:00:00Z"
    assert draft.author_hash == AUTHORS.hash("yixinli", threads.NAMES[0])
    assert [answer.votes for answer in draft.answers] == [0, 1, 2]
    assert {answer.written_at for answer in draft.answers} == {"2019-03-04T13:05:06Z"}
    assert {answer.author_hash for answer in draft.answers} == {AUTHORS.hash("yixinli", threads.NAMES[1])}
    assert (draft.url, draft.fetched_at) == ("https://www.xinli001.com/qa/5", FETCHED)


def test_pages_that_come_out_of_order_and_twice_make_one_question_in_the_sites_order():
    pages = [read(5, number, answers=23) for number in (3, 1, 2, 1)]
    draft = only_draft("question-5", pages)
    assert [answer.text for answer in draft.answers] == [one.text for one in threads.thread(5, 23).answers]


def test_links_lead_to_the_next_page_and_end_with_the_last():
    assert read(5, 1, answers=23).links == (("https://www.xinli001.com/qa/5?page=2", "question"),)
    assert read(5, 2, answers=20).links == ()
    assert read(5, 1, answers=10).links == ()


def test_a_page_beyond_the_last_that_repeats_the_first_adds_nothing_and_leads_nowhere():
    repeated = read(5, 4, "repeated_page", answers=23)
    assert repeated.links == ()
    whole = [read(5, number, answers=23) for number in (1, 2, 3)]
    assert only_draft("question-5", [*whole, repeated]) == only_draft("question-5", whole)


@pytest.mark.parametrize(
    ("variant", "stop"),
    [
        ("waf", "waf"),
        ("captcha", "captcha"),
        ("login", "login"),
        ("overload", "overload"),
        ("redesigned", "changed"),
        ("nothing", "changed"),
        ("no_answers_shown", "changed"),
    ],
)
def test_a_page_that_holds_less_says_why(variant, stop):
    reading = read(5, variant=variant)
    assert reading.stop == stop
    assert not [piece for piece in reading.pieces if piece.kind == "answer"]


def test_a_question_without_its_title_is_changed_markup_and_its_answers_are_kept():
    reading = read(5, variant="no_title")
    assert reading.stop == "changed"
    assert len(reading.pieces) == 3
    assert list(SITE.assemble("question-5", [reading])) == []


def test_a_question_that_was_taken_down_is_not_taken_from_an_earlier_copy():
    assert list(SITE.assemble("question-5", [read(5), read(5, variant="deleted")])) == []


def test_a_question_without_answers_is_one_and_empty_answers_are_counted():
    assert only_draft("question-5", [read(5, answers=0)]).answers == ()
    reading = read(5, variant="empty_answers")
    assert reading.stop == ""
    assert reading.left_out == ("answer_is_empty",) * 3
    assert only_draft("question-5", [reading]).answers == ()


def test_missing_names_and_votes_leave_empty_fields():
    draft = only_draft("question-5", [read(5, variant="missing_field")])
    assert {(answer.author_hash, answer.votes) for answer in draft.answers} == {("", None)}


def test_answers_without_numbers_are_told_apart_by_their_words():
    readings = [read(5, variant="no_numbers"), read(5, variant="no_numbers")]
    assert len(only_draft("question-5", readings).answers) == 3


def test_the_newer_of_two_copies_is_taken():
    old = threads.Thread(5, "题目", "问题", (threads.MadeAnswer(1, "旧的回答"),))
    new = threads.Thread(5, "题目", "改过的问题", (threads.MadeAnswer(1, "新的回答"),))
    url = made.url_of("yixinli", 5)
    readings = [
        SITE.read(Page(url, made.yixinli_question(thread), "", f"202{year}-01-01T00:00:00Z"), AUTHORS)
        for thread, year in ((new, 1), (old, 0))
    ]
    draft = only_draft("question-5", readings)
    assert (draft.text, draft.answers[0].text) == ("改过的问题", "新的回答")


def test_an_answer_of_the_mobile_site_belongs_to_the_question_that_it_links_to():
    thread = threads.thread(5)
    page = Page("https://m.xinli001.com/qa/answer-5001", made.yixinli_mobile(thread, thread.answers[1]))
    assert SITE.thread_of(page.url) == ""
    (piece,) = SITE.read(page, AUTHORS).pieces
    assert (piece.key, piece.thread, piece.text) == ("answer-5001", "question-5", thread.answers[1].text)


def test_a_list_gives_questions_without_tracking_and_the_next_page():
    page = Page("https://www.xinli001.com/qa?page=3&type=question", made.yixinli_list([5, 6], 3))
    reading = SITE.read(page, AUTHORS)
    assert reading.links == SITE.links(page)
    assert [(link.url, link.kind) for link in reading.links] == [
        ("https://www.xinli001.com/qa/5", "question"),
        ("https://www.xinli001.com/qa/6", "question"),
        ("https://www.xinli001.com/qa?page=4&type=question&object_name=last&sort=id", "list"),
    ]


def test_an_article_loses_its_advertisement_and_its_credits():
    thread = threads.Thread(
        9, "怎样和自己相处", "第一段讲睡眠。\n第二段讲朋友，讲得比较长一些，也比较慢。\n第三段讲散步。"
    )
    page = Page(made.url_of("yixinli_article", 9), made.yixinli_article(thread), "", FETCHED)
    reading = SITE.read(page, AUTHORS)
    draft = only_draft("article-9", [reading])
    assert (draft.kind, draft.title, draft.text) == ("document", thread.title, thread.text)
    assert draft.written_at == "2019-03-03"
    assert reading.left_out == ("advertisement_cut_off",)
    plain = SITE.read(page._replace(body=made.yixinli_article(thread, variant="plain")), AUTHORS)
    assert (plain.pieces, plain.left_out) == (reading.pieces, ())


def test_urls_tell_kind_and_thread():
    assert SITE.kind_of("https://www.xinli001.com//qa/100733774?page=2") == "question"
    assert SITE.thread_of("https://www.xinli001.com//qa/100733774?page=2") == "question-100733774"
    assert SITE.thread_of("https://www.xinli001.com/info/12") == "article-12"
    assert SITE.kind_of("https://www.xinli001.com/user/12") == "other"
    assert SITE.kind_of("https://elsewhere.example/qa/12") == "other"


def test_a_copy_of_the_site_is_read_by_its_own_host_alone():
    site = Yixinli(base_url="http://127.0.0.1:8123")
    assert site.thread_of("http://127.0.0.1:8123/qa/5") == "question-5"
    assert site.thread_of("https://www.xinli001.com/qa/5") == ""
    page = Page(
        "http://127.0.0.1:8123/qa/5", made.page("yixinli", 5, answers=12, base_url="http://127.0.0.1:8123")
    )
    assert site.links(page)[0].url == "http://127.0.0.1:8123/qa/5?page=2"
