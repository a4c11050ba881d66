import hypothesis
import hypothesis.strategies as st
import pytest

import made_threads as threads
import site_pages as made
from made_threads import TEXT
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.tianya import Tianya

AUTHORS = Authors(b"k" * 32)
SITE = Tianya()


def read(thread, page=1, variant="", fetched_at="2013-01-02T03:04:05Z"):
    url = made.url_of("tianya", thread.number, page)
    return SITE.read(Page(url, made.tianya_post(thread, page, variant), "text/html", fetched_at), AUTHORS)


def only_draft(readings):
    drafts = list(SITE.assemble("post-feeling-5", readings))
    assert len(drafts) == 1
    return drafts[0]


@hypothesis.given(
    TEXT,
    TEXT,
    st.lists(st.tuples(TEXT, st.booleans()), max_size=8),
    st.sampled_from(["", "gbk", "utf8_declared_gb2312"]),
)
def test_others_answer_and_the_poster_goes_on(title, text, posts, variant):
    title = " ".join(title.split())
    answers = tuple(
        threads.MadeAnswer(place, words, name=threads.NAMES[0] if own else threads.NAMES[1])
        for place, (words, own) in enumerate(posts)
    )
    thread = threads.Thread(5, title, text, answers)
    pages = range(1, max(1, -(-len(posts) // made.POSTS_A_PAGE)) + 1)
    readings = [read(thread, page, variant) for page in pages]
    assert {reading.stop for reading in readings} == {""}
    draft = only_draft(reversed(readings))
    assert draft.title == title
    assert draft.text == "\n".join([text, *(words for words, own in posts if own)])
    assert [answer.text for answer in draft.answers] == [words for words, own in posts if not own]


def test_times_are_those_of_the_site_in_utc_and_authors_are_keyed():
    draft = only_draft([read(threads.thread(5))])
    assert draft.written_at == ""  # written in 2019 by the page, fetched in 2013: no such time
    draft = only_draft([read(threads.thread(5), fetched_at="2020-01-01T00:00:00Z")])
    assert draft.written_at == "2019-03-03T00:00:00Z"
    assert draft.answers[0].written_at == "2019-03-04T13:05:06Z"
    assert draft.author_hash == AUTHORS.hash("tianya", threads.NAMES[0])


def test_quotations_are_cut_and_remarks_are_counted():
    reading = read(threads.thread(5), variant="quotations")
    assert [piece.text for piece in reading.pieces[1:]] == [one.text for one in threads.thread(5).answers]
    assert read(threads.thread(5), variant="remarks").left_out == ("remarks_below_a_post",) * 3


def test_the_pages_of_a_post_lead_on():
    thread = threads.thread(5, 12)
    assert read(thread, 1).links == (("http://bbs.tianya.cn/post-feeling-5-2.shtml", "question"),)
    assert read(thread, 3).links == ()


def test_a_list_gives_posts_and_its_next_page():
    page = Page("http://bbs.tianya.cn/list-feeling-1.shtml", made.tianya_list([5, 6]))
    assert [(link.url[20:], link.kind) for link in SITE.links(page)] == [
        ("/post-feeling-5-1.shtml", "question"),
        ("/post-feeling-6-1.shtml", "question"),
        ("/list-feeling-2.shtml", "list"),
    ]


@pytest.mark.parametrize(
    ("variant", "stop"),
    [("waf", "waf"), ("overload", "overload"), ("redesigned", "changed"), ("nothing", "changed")],
)
def test_a_page_that_holds_nothing_says_why(variant, stop):
    reading = read(threads.thread(5), variant=variant)
    assert (reading.stop, reading.pieces) == (stop, ())


def test_later_pages_alone_and_taken_down_posts_make_no_question():
    thread = threads.thread(5, 12)
    assert list(SITE.assemble("post-feeling-5", [read(thread, 2)])) == []
    assert list(SITE.assemble("post-feeling-5", [read(thread, 1), read(thread, 1, "deleted")])) == []


def test_the_thread_is_told_by_the_url():
    assert SITE.thread_of("http://bbs.tianya.cn/post-free-123456-7.shtml") == "post-free-123456"
    assert SITE.thread_of("http://bbs.tianya.cn/list-free-1.shtml") == ""
    assert SITE.thread_of("http://elsewhere.example/post-free-123456-7.shtml") == ""
