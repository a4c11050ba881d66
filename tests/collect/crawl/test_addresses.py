import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect.crawl.addresses import canonical, is_repeating, joined, origin_of


@pytest.mark.parametrize(
    ("found", "one"),
    [
        ("HTTP://Site.Example:80/qa#top", "http://site.example/qa"),
        ("https://site.example:443/qa", "https://site.example/qa"),
        ("https://site.example:8443/qa", "https://site.example:8443/qa"),
        ("https://site.example", "https://site.example/"),
        ("https://site.example//qa///1", "https://site.example/qa/1"),
        ("https://site.example/qa?b=2&a=1", "https://site.example/qa?a=1&b=2"),
        ("https://site.example/qa?page=2&utm_source=x&PHPSESSID=0af", "https://site.example/qa?page=2"),
        ("https://site.example/qa;jsessionid=1A?page=2", "https://site.example/qa?page=2"),
        ("https://site.example/%e6%83%85", "https://site.example/%E6%83%85"),
        ("https://site.example/情", "https://site.example/%E6%83%85"),
        ("https://site.example/%7Euser", "https://site.example/~user"),
    ],
)
def test_one_page_has_one_address(found, one):
    assert canonical(found) == one
    assert canonical(one) == one


@pytest.mark.parametrize(
    "url",
    [
        "mailto:a@b.example",
        "javascript:void(0)",
        "data:text/html,x",
        "https://user:pass@site.example/qa",
        "https://site.example/a/%2e%2e/b",
        "https://site.example/a/%252e/b",
        "https://site.example/a\\b",
        "https://site.example/" + "a" * 2000,
        "https://site.example/?" + "&".join(f"p{n}=1" for n in range(20)),
        "https://site.example/a/b/a/b/a/b/a/b",
        "https://site.example:99999/",
        "/qa/1",
        "",
    ],
)
def test_what_no_crawler_should_follow_has_none(url):
    assert canonical(url) == ""


def test_a_link_is_joined_to_its_page():
    assert joined("https://site.example/qa/1", "2?page=3#x") == "https://site.example/qa/2?page=3"
    assert joined("https://site.example/qa/1", "http://[bad") == ""


def test_an_origin_has_its_scheme_and_port():
    assert origin_of("https://site.example:8443/qa?x=/") == "https://site.example:8443"
    assert origin_of("http://site.example?x=1") == "http://site.example"


def test_a_path_that_repeats_itself_is_a_trap():
    assert is_repeating("/a/b/a/b/a/b/a")
    assert not is_repeating("/2026/11/11")


@given(st.text(max_size=80))
def test_canonical_is_canonical(text):
    for url in (text, f"https://site.example/{text}"):
        once = canonical(url)
        assert canonical(once) == once
