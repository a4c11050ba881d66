import hypothesis
import hypothesis.strategies as st
import pytest

import site_pages as made
from psyllm.collect.sites.addresses import canonical
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.choose import adapters, choose
from psyllm.collect.sites.contract import Link, Page
from psyllm.collect.source import Source

AUTHORS = Authors(b"k" * 32)
KNOWN = adapters()[:3]
SITES = [site for site in made.PAGES if site != "other"]


@hypothesis.given(
    st.sampled_from(SITES),
    st.sampled_from(["", "markup", "older", "gbk"]),
    st.integers(0, 10_000),
    st.integers(0, 400),
    st.binary(max_size=12),
    st.text(max_size=20),
)
def test_no_damage_to_a_page_is_an_exception(site, variant, start, length, put, kind):
    body = made.page(site, 5, 1, variant, answers=12)
    start %= len(body)
    url = made.url_of(site, 5)
    adapter = choose(url, KNOWN)
    page = Page(url, body[:start] + put + body[start + length :], kind, "2020-01-01T00:00:00Z")
    reading = adapter.read(page, AUTHORS)
    assert reading.links == adapter.links(page)
    assert reading.pieces or reading.stop or reading.left_out
    for draft in adapter.assemble(adapter.thread_of(url), [reading]):
        draft.record(Source("s", "CC0-1.0"))


@hypothesis.given(st.text(max_size=60) | st.from_regex(r"https?://[a-z.\[\]:@0-9]{1,20}/[^\n]{0,20}"))
def test_no_address_is_an_exception(url):
    for adapter in adapters():
        assert isinstance(adapter.thread_of(url), str)
        assert adapter.kind_of(url) in {"question", "answers", "article", "list", "other"}
    assert choose(url, adapters()).name


@pytest.mark.parametrize(
    "href",
    [
        "http://[x]/",
        "http://[此处填写网址]",
        "//[",
        "http://a]b/",
        "http://\ud800/",
        "/\udc80",
        "http://a\u2100b/",
    ],
)
def test_a_broken_link_is_no_link(href):
    assert canonical(href, "http://site.example/") == ""
    assert canonical("/a", href) == ""
    body = f"<html><body><p>x</p><a href='{href}'>x</a><a href='/b'>x</a></body></html>"
    page = Page("http://site.example/a", body.encode("utf-8", "surrogatepass"), "text/html; charset=utf-8")
    assert Link("http://site.example/b", "article") in adapters()[-1].links(page)


def test_a_record_of_a_draft_has_its_provenance():
    url = made.url_of("yixinli", 5)
    adapter = choose(url, KNOWN)
    reading = adapter.read(Page(url, made.page("yixinli", 5), "", "2020-01-01T00:00:00Z"), AUTHORS)
    (draft,) = adapter.assemble("question-5", [reading])
    record = draft.record(Source("mine", "CC0-1.0"), permission_id="p1", robots_hash="r1")
    assert (record.id, record.group) == ("mine:yixinli-question-5", "mine:yixinli-question-5")
    assert (record.permission_id, record.robots_hash, record.url) == ("p1", "r1", url)
    assert record.fetched_at == "2020-01-01T00:00:00Z"
